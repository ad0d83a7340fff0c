"""Every error becomes one sentence in plain words."""

import os

import pytest

from sockwake.errors import SockwakeError, failure


def test_an_error_of_the_kernel_is_told_with_its_path_and_in_words() -> None:
    with pytest.raises(OSError) as caught:
        os.mkdir("/proc/version/below")
    assert failure(caught.value).message == "cannot use /proc/version/below: not a directory"
    assert failure(TimeoutError("timed out")).message == "timed out"


def test_any_other_error_tells_its_kind_and_to_the_administrator_alone_its_text() -> None:
    told = failure(ValueError("a password"))
    assert told.message == "it failed with ValueError" and told.said == "a password"
    own = SockwakeError("why")
    assert failure(own) is own
