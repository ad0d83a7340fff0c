"""What a healthcheck runs, and how long it may take."""

from __future__ import annotations

from typing import Any

import pytest

from sockwake.oci.spec import healthcheck

IMAGE = {"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Timeout": 3_000_000_000}}
SHELL = ["/bin/sh", "-c"]


@pytest.mark.parametrize(
    ("own", "image", "asked"),
    [
        (None, {}, ([], 30)),
        (None, IMAGE, ([*SHELL, "true"], 3)),
        (None, {**IMAGE, "Shell": ["/bin/bash", "-ec"]}, (["/bin/bash", "-ec", "true"], 3)),
        ({"disable": True}, IMAGE, ([], 3)),
        ({"test": ["NONE"]}, IMAGE, ([], 3)),
        ({"timeout": "1m30s"}, IMAGE, ([*SHELL, "true"], 90)),
        ({"test": ["CMD", "a", "$$b"]}, {}, (["a", "$b"], 30)),
        ({"test": "exit 0"}, IMAGE, ([*SHELL, "exit 0"], 3)),
    ],
)
def test_what_compose_says_counts_before_what_the_image_does(
    own: dict[str, Any] | None, image: dict[str, Any], asked: tuple[list[str], float]
) -> None:
    assert healthcheck({"healthcheck": own}, image) == asked
