"""What a server's log says on its way to the journal."""

from pathlib import Path

import pytest

from sockwake.lifecycle.server_log import ServerLog, mismatched
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


HINTS = (
    "Bauen Sie alle Objekte in dieser Datenbank, die die Standardsortierfolge verwenden, neu und "
    "führen Sie ALTER DATABASE %s REFRESH COLLATION VERSION aus, oder bauen Sie PostgreSQL mit der "
    "richtigen Bibliotheksversion.",
    "Reconstruya todos los objetos en esta base de datos que usen el ordenamiento por omisión y "
    "ejecute ALTER DATABASE %s REFRESH COLLATION VERSION, o construya PostgreSQL con la versión "
    "correcta de la biblioteca.",
    "このデータベース内でデフォルトの照合順序を使用している全てのオブジェクトを再構築して、"
    "ALTER DATABASE %s REFRESH COLLATION VERSIONを実行するか、正しいバージョンのライブラリを用いて"
    "PostgreSQLをビルドしてください。",
    "해당 정렬 규칙과 연관된 모든 객체를 다시 만들고, ALTER COLLATION %s REFRESH VERSION 명령을 "
    "실행하거나, 바른 라이브러리 버전을 지정해서, PostgreSQL을 빌드하세요.",
)


@pytest.mark.parametrize("hint", HINTS, ids=("de", "es", "ja", "ko"))
def test_it_is_told_of_in_every_language(hint: str) -> None:
    for quoted, name in (("shop", "shop"), ('"a ""b"" c"', 'a "b" c')):
        assert mismatched(f"HINWEIS:  {hint % quoted}\n".encode()) == [name]


@pytest.mark.parametrize("statement", ["DATABASE shop REFRESH COLLATION", 'COLLATION "x" REFRESH'])
def test_the_statement_that_mends_it_is_no_such_word(statement: str) -> None:
    text = f"LOG:  statement: ALTER {statement} VERSION"
    for end in ("", "\n", ";\n", " ;\n", "'\n", "', datname)\n", ' "\n'):
        assert mismatched(f"{text}{end}".encode()) == []
