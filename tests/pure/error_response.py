"""PostgreSQL's ErrorResponse, read as its documentation says and not as sockwake writes it."""


def fields_of(error: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse, read as the documentation says."""
    assert (
        error[:1] == b"E"
        and int.from_bytes(error[1:5], "big") == len(error) - 1
        and error.endswith(b"\0\0")
    )
    return {field[:1].decode(): field[1:].decode() for field in error[5:-2].split(b"\0")}
