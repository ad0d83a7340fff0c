"""What an image or compose.yaml says to initdb, and what sockwake adds."""

import pytest

from sockwake.errors import SockwakeError
from sockwake.postgres.initdb_arguments import merged

SCRAM = "--auth-local=scram-sha-256 --auth-host=scram-sha-256"


@pytest.mark.parametrize(
    ("theirs", "all_of_them"),
    [
        ("", f"{SCRAM} --data-checksums --encoding=UTF8"),
        ("--wal-segsize=64", f"--wal-segsize=64 {SCRAM} --data-checksums --encoding=UTF8"),
        ("-k -E LATIN1", f"-k -E LATIN1 {SCRAM}"),
        ("--no-data-checksums", f"--no-data-checksums {SCRAM} --encoding=UTF8"),
        ("-A scram-sha-256", f"-A scram-sha-256 {SCRAM} --data-checksums --encoding=UTF8"),
        ("--of-tomorrow=1", f"--of-tomorrow=1 {SCRAM} --data-checksums --encoding=UTF8"),
        ("--locale='de DE", f"--locale='de DE {SCRAM} --data-checksums --encoding=UTF8"),
    ],
)
def test_theirs_come_first_and_only_what_they_do_not_say_is_added(
    theirs: str, all_of_them: str
) -> None:
    assert merged({"POSTGRES_INITDB_ARGS": theirs}) == all_of_them


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("POSTGRES_INITDB_ARGS", "-Atrust", "--auth=trust"),
        ("POSTGRES_INITDB_ARGS", "-kA md5", "--auth=md5"),
        ("POSTGRES_INITDB_ARGS", "--auth-l peer", "--auth-local=peer"),
        ("POSTGRES_INITDB_ARGS", "-k '--auth-host=ident'", "--auth-host=ident"),
        ("POSTGRES_INITDB_ARGS", "--waldir=/wal", "--waldir"),
        ("POSTGRES_INITDB_ARGS", "-X /wal", "--waldir"),
        ("POSTGRES_INITDB_ARGS", "-U me", "--username"),
        ("POSTGRES_INITDB_ARGS_FILE", "/args", "POSTGRES_INITDB_ARGS_FILE is set"),
        ("POSTGRES_INITDB_WALDIR", "/wal", "POSTGRES_INITDB_WALDIR is set"),
        ("POSTGRES_HOST_AUTH_METHOD", "trust", "POSTGRES_HOST_AUTH_METHOD=trust is set"),
    ],
)
def test_a_contradiction_is_refused_by_name(name: str, value: str, said: str) -> None:
    with pytest.raises(SockwakeError, match=said):
        merged({name: value})
