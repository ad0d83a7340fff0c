"""The files of an instance as text. Pure: what it is given decides what comes out."""

import json
import os
from collections.abc import Mapping

from sockwake.admin import templates

_KINDS = os.path.join(os.path.dirname(__file__), "..", "..", "kinds")


def _compose_string(value: str) -> str:
    """value as a YAML string in which compose replaces nothing."""
    return json.dumps(value, ensure_ascii=False).replace("$", "$$")


def render(template: str, values: Mapping[str, object]) -> str:
    """kinds/<template>.j2 with values; a value the template misses is an error of ours.

    Raises SockwakeError without jinja2.
    """
    environment = templates.environment(_KINDS)
    environment.filters["compose"] = _compose_string
    return environment.get_template(f"{template}.j2").render(values)
