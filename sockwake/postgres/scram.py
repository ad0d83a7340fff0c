"""A password as PostgreSQL keeps it (SCRAM-SHA-256, RFC 5803): no log ever gets it.

Source: PostgreSQL's scram-common.c and saslprep.c.
"""

import base64
import hashlib
import hmac
import os
import stringprep
import unicodedata

_ITERATIONS = 4096  # PostgreSQL's own, since 10
_SALT = 16  # bytes
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def verifier(password: str, salt: bytes = b"") -> str:
    """What ALTER ROLE … PASSWORD takes instead of the password. salt: a random one if not given."""
    salt = salt or os.urandom(_SALT)
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, _ITERATIONS)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, client64, server64 = (
        base64.b64encode(each).decode() for each in (salt, client, server)
    )
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt64}${client64}:{server64}"


def is_of(kept: str, password: str) -> bool:
    """Whether verifier() has made this of a password."""
    salt = kept.split("$")[1].partition(":")[2]
    return hmac.compare_digest(kept, verifier(password, base64.b64decode(salt)))


def statement(password: str) -> str:
    """The SQL that gives the user of a session this password."""
    return f"alter role current_user password '{verifier(password)}'"


def prepared(password: str) -> str:
    """The password as clients and servers normalise it (SASLprep, RFC 4013).

    One that SASLprep prohibits stays as it is, as PostgreSQL has it.
    """
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    made = unicodedata.normalize("NFKC", mapped)
    if not made or any(is_in(char) for char in made for is_in in _PROHIBITED):
        return password
    return password if _is_mixed(made) else made


def _is_mixed(text: str) -> bool:
    """Whether letters of both directions are in it in a way that RFC 3454 (6) prohibits."""
    from_right = [stringprep.in_table_d1(char) for char in text]
    if not any(from_right):
        return False
    return any(map(stringprep.in_table_d2, text)) or not (from_right[0] and from_right[-1])
