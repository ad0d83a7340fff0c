"""A name is checked once, in its type, and the message states the rule."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockwake.config.instance import Name
from sockwake.errors import USAGE, SockwakeError, shown

RULE = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)


@given(st.one_of(st.text(), st.from_regex(RULE), st.text("ab-0Z_./ \n", max_size=33)))
def test_a_name_is_valid_exactly_when_the_documented_rule_says_so(text: str) -> None:
    try:
        valid = Name(text) == text
    except SockwakeError:
        valid = False
    assert valid == bool(RULE.fullmatch(text))


@pytest.mark.parametrize(
    "text", ["", "My_App", "1st", "-a", "a" * 32, "a.b", "a/b", "ä", "a\n", "../a", "a b", ".new-a"]
)
def test_the_error_names_the_value_and_the_rule(text: str) -> None:
    with pytest.raises(SockwakeError) as caught:
        Name(text)
    assert caught.value.message == shown(f"instance name '{text}' is not valid: {Name.RULE}")
    assert caught.value.status == USAGE


@pytest.mark.parametrize("text", ["a", "pg1", "a-", "a" * 31])
def test_the_edges_of_the_rule_are_inside(text: str) -> None:
    assert Name(text) == text
