"""Names and digests of images."""

import pytest

from sockwake.errors import SockwakeError
from sockwake.oci import names

DIGITS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("postgres", "docker.io/library/postgres:latest"),
        ("postgres:18", "docker.io/library/postgres:18"),
        ("library/postgres:18", "docker.io/library/postgres:18"),
        ("docker.io/library/postgres:18", "docker.io/library/postgres:18"),
        ("org/web", "docker.io/org/web:latest"),
        ("quay.io/org/web:1", "quay.io/org/web:1"),
        ("localhost/web", "localhost/web:latest"),
        ("localhost:5000/web", "localhost:5000/web:latest"),
        ("web@sha256:12", "docker.io/library/web@sha256:12"),
    ],
)
def test_what_docker_leaves_out_is_put_in(name: str, full: str) -> None:
    assert names.normal(name) == full == names.normal(full)
    assert names.same(name, full) and not names.same(name, "other")


@pytest.mark.parametrize("name", ["web 1", "a\nb", "\x1b[31m", "ä", "a'b", "a" * 500])
def test_what_is_no_name_is_not_taken_for_one(name: str) -> None:
    assert names.checked(name) == "" and names.checked("quay.io/a_b/c-d:1.2@sha256:0") != ""


def test_a_digest_may_be_cut_short_but_not_by_much() -> None:
    for text in (DIGITS, f"sha256:{DIGITS}", DIGITS[:12], f"sha256:{DIGITS[:12]}"):
        assert names.beginning(text) in DIGITS and names.beginning(text)
    for text in (DIGITS[:11], f"{DIGITS}0", "postgres", "sha256:", "0123456789abcdefg"):
        assert names.beginning(text) == ""


@pytest.mark.parametrize(
    "digest", ["", DIGITS, "sha256:", "sha256:../../x", f"md5:{DIGITS}", f"sha256:{DIGITS.upper()}"]
)
def test_a_digest_is_no_path(digest: str) -> None:
    with pytest.raises(SockwakeError):
        names.hex_of(digest)
    assert names.hex_of(f"sha256:{DIGITS}") == DIGITS
