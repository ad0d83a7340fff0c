"""What a server keeps of a password, against the example of RFC 7677."""

import base64
import hashlib
import hmac

import pytest

from sockwake.postgres import scram

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
TALKED = (
    f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}"
)
PROOF = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_it_accepts_the_proof_of_the_client_and_signs_as_the_server() -> None:
    kind, salted, keys = scram.verifier("pencil", SALT).split("$")
    assert (kind, salted) == ("SCRAM-SHA-256", f"4096:{base64.b64encode(SALT).decode()}")
    stored, server = map(base64.b64decode, keys.split(":"))
    signature = hmac.digest(stored, TALKED.encode(), "sha256")
    client = bytes(a ^ b for a, b in zip(PROOF, signature))
    assert hashlib.sha256(client).digest() == stored
    assert base64.b64encode(hmac.digest(server, TALKED.encode(), "sha256")).decode() == SIGNATURE


def test_each_has_a_salt_of_its_own() -> None:
    assert scram.verifier("pencil") != scram.verifier("pencil")


@pytest.mark.parametrize(
    ("given", "prepared"),
    [
        ("user", "user"),
        ("I\u00adX", "IX"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("gehe\u0069\u0308m", "gehe\u00efm"),
        ("\u0627\u0031", "\u0627\u0031"),
        ("\u00ad", "\u00ad"),
        ("a\ue000", "a\ue000"),
    ],
)
def test_a_password_is_normalised_as_clients_do_it(given: str, prepared: str) -> None:
    """The examples of RFC 4013; what SASLprep prohibits stays, as PostgreSQL has it."""
    assert scram.prepared(given) == prepared


def test_one_that_is_kept_tells_whether_it_is_of_a_password() -> None:
    kept = scram.verifier("first")
    assert scram.is_of(kept, "first") and not scram.is_of(kept, "other")
