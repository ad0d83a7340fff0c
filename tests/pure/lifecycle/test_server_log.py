"""What a server's log says on its way to the journal."""

from pathlib import Path

import pytest

from sockwake.lifecycle.server_log import ServerLog
from tree import Tree

WARNING = (
    b'2026-11-28 12:00:00 UTC [7] WARNING:  database "%s" has a collation version mismatch\n'
    b"2026-11-28 12:00:00 UTC [7] DETAIL:  The database was created using collation version 1.0, "
    b"but the operating system provides version 2.0.\n"
)


def test_a_database_of_another_c_library_is_told_of_once(
    tree: Tree, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    instance = tree.write_env("pg1", "")
    Path(instance.run).mkdir(parents=True)
    log = ServerLog(instance)
    for text in (b"LOG:  ready\n", WARNING % b"shop", WARNING % b"shop", WARNING % b'a "b" c'):
        log.write(text)
    said = capfdbinary.readouterr().out
    assert said.count(b"LOG:  ready\n") == 1 and said.count(b"DETAIL:  ") == 3
    assert said.count(b"sockwake: the image sorts texts otherwise") == 2
    assert b'REINDEX DATABASE "shop"; ALTER DATABASE "shop" REFRESH COLLATION VERSION;' in said
    assert Path(instance.collation_file).read_text().splitlines() == ["shop", 'a "b" c']
