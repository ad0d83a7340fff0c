"""Any compose file makes an instance that can be woken, or one sentence on stderr."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

import figures
from program import run
from soak import SOAK

REFUSAL = re.compile(r"sockwake: error: [^\n]+\n(\(hint: [^\n]+\)\n)?")
WORDS = st.one_of(
    st.sampled_from(
        [
            "nginx:local",
            "80",
            "8080:80",
            "127.0.0.1:8080:80/udp",
            "1-3:1-3",
            "${IMAGE:?}",
            "$$",
            "!reset",
            "",
            "\x1b[31m",
            "é\n",
        ]
    ),
    st.text(max_size=8),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 70000), WORDS),
    lambda each: st.one_of(
        st.lists(each, max_size=3),
        st.dictionaries(
            st.one_of(WORDS, st.sampled_from(["target", "published", "source"])), each, max_size=3
        ),
    ),
    max_leaves=6,
)
TARGET: dict[str, st.SearchStrategy[object]] = {"target": st.integers(0, 70000)}
PUBLISHED: dict[str, st.SearchStrategy[object]] = {
    "published": st.one_of(st.integers(0, 70000).map(str), WORDS),
    "mode": WORDS,
}
PORT = st.fixed_dictionaries(TARGET, optional=PUBLISHED)
PORTS = st.one_of(VALUES, st.lists(st.one_of(WORDS, st.integers(0, 70000), PORT), max_size=2))
SERVICE = st.fixed_dictionaries(
    {},
    optional={
        "image": WORDS,
        "ports": PORTS,
        "container_name": WORDS,
        "command": VALUES,
        "networks": VALUES,
        "extends": VALUES,
        "environment": VALUES,
        "depends_on": VALUES,
    },
)
DOCUMENT = st.one_of(
    st.fixed_dictionaries(
        {
            "services": st.one_of(
                VALUES, st.dictionaries(WORDS, st.one_of(SERVICE, VALUES), max_size=2)
            )
        },
        optional={"version": VALUES, "include": VALUES, "name": WORDS, "volumes": VALUES},
    ).map(json.dumps),
    VALUES.map(json.dumps),
    st.text(max_size=60),
)


@settings(
    max_examples=400 if SOAK else 25,
    deadline=None,
    derandomize=not SOAK,
    database=None,
    print_blob=True,
)
@given(DOCUMENT)
@example('{"services": {"a": {"image": "nginx:local", "ports": ["8080:80"]}}}')
@example('{"services": {"a": {"image": "nginx:local", "ports": ["8080-8090:80"]}}}')
@example('{"services": {"a": {"ports": [{"target": 80, "published": "0"}]}}}')
@example("services: &a {a: *a}")
@example("\0")
def test_any_compose_file_makes_an_instance_or_one_sentence(machine: None, text: str) -> None:
    figures.count("fuzz cases")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "compose.yaml"
        path.write_bytes(text.encode(errors="surrogatepass"))
        new = ("sockwake-new", "fuzzed", "--kind", "container", "--compose", str(path))
        ran = run(*new, "--dry-run", "--json")
    if ran.status:
        assert ran.status in (1, 2, 3) and REFUSAL.fullmatch(ran.err), ran
    else:
        made = json.loads(ran.out)["files"]["/etc/sockwake/fuzzed/instance.env"]
        assert re.search(
            r"^PORTS=[0-9a-f.:\[\]]+:\d+=[\w.-]+:\d+", made["content"], re.MULTILINE
        ), ran
