"""Types of options, what they name on the host, and that systemd runs the words of --exec."""

import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fuzz import cases
from sockwake.admin import option_types
from sockwake.admin.make import host
from sockwake.config import values
from sockwake.errors import USAGE, SockwakeError, shown
from tree import run

# whatever command_line() lets through: printable, and any program whose path systemd takes
WORD = st.one_of(
    st.text().filter(str.isprintable), st.text("\\\"'$%;{}#@!|:+- \tnx041").filter(str.isprintable)
)
NASTY = [
    "$HOME",
    "${HOME}",
    "$$",
    "$",
    "%",
    "%i",
    "%%",
    "%h/x",
    ";",
    "\\;",
    "a;b",
    "\\",
    "a\\",
    "\\x41",
    "\\n",
    '"',
    "'",
    "'a b'",
    '"a',
    "",
    " ",
    "#x",
    "@x",
    "-x",
    "!",
    "|",
    ">",
    "*",
    "~",
    "é ü",
    "𝄞",
    "{",
    "{}",
    "[x]",
    "=",
    "a=b c",
    "`id`",
    "$(id)",
]


def as_systemd_reads(lines: list[str]) -> list[list[str]]:
    """The words of each ExecStart= as systemd has them after it has read a unit file."""
    with tempfile.TemporaryDirectory() as units:
        text = "[Service]\nType=oneshot\n" + "".join(f"ExecStart={line}\n" for line in lines)
        Path(units, "x.service").write_text(text, encoding="utf-8")
        ran = run(
            "systemd-analyze",
            "verify",
            "--man=no",
            "x.service",
            env={"SYSTEMD_UNIT_PATH": units, "SYSTEMD_LOG_LEVEL": "debug", "LC_ALL": "C.UTF-8"},
        )
    return [
        words_of(shown)
        for shown in re.findall(r"^\s*Command Line: (.*)$", ran.stdout, re.MULTILINE)
    ]


def words_of(shown: str) -> list[str]:
    """The words of a command as systemd shows it: some in double quotes, with backslashes."""
    found = [
        re.sub(r"\\(.)", r"\1", quoted) if quoted or not plain else plain
        for quoted, plain in re.findall(r'(?:"((?:[^"\\]|\\.)*)"|([^ "]+))(?: |$)', shown)
    ]
    return [found[0], *(executed(word) for word in found[1:])]


def executed(word: str) -> str:
    """A word as it is executed: two dollars are one, one is a variable (systemd.service(5))."""
    assert "$" not in word.replace("$$", ""), word
    return word.replace("$$", "$")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
class TestSystemdRunsTheWordsGiven:
    def test_this_test_can_tell(self) -> None:
        assert as_systemd_reads(
            ['/bin/echo "a b" $$x "\\\\n" %%i ""', "/bin/true x ; /bin/false"]
        ) == [["/bin/echo", "a b", "$x", "\\n", "%i", ""], ["/bin/true", "x"], ["/bin/false"]]

    def test_nasty_words(self) -> None:
        commands = [["/bin/echo", word, "end"] for word in NASTY] + [["/bin/echo", *NASTY]]
        assert (
            as_systemd_reads([option_types.exec_line(words, {}) for words in commands]) == commands
        )

    @cases(40)
    @given(st.lists(st.lists(WORD, max_size=5), min_size=1, max_size=20))
    @example([["\\"], ["\\\\", ""], ["$" * 5, "%" * 5]])
    def test_any_words(self, commands: list[list[str]]) -> None:
        given_ = [["/bin/echo", *words] for words in commands]
        assert as_systemd_reads([option_types.exec_line(words, {}) for words in given_]) == given_

    @pytest.mark.parametrize(
        "name", ["a b", "50%", "x;y", "é", "a:b", "@x", "{x}", "#", "%i", "!a"]
    )
    def test_any_program_that_is_not_refused(self, tmp_path: Path, name: str) -> None:
        program = tmp_path / name
        shutil.copy("/bin/true", program)
        words = option_types.command_line(f"'{program}' x")
        assert as_systemd_reads([option_types.exec_line(words, {})]) == [[str(program), "x"]]


def test_places_are_filled_in_wherever_they_are() -> None:
    places = {"port": "25440", "socket": "/run/sockwake-a/socket", "data": "/var/lib/sockwake/a"}
    line = option_types.exec_line(
        ["/bin/x", "--listen=127.0.0.1:{port}", "{socket}", "{data}/db", "{port}{port}", "{other}"],
        places,
    )
    assert line == (
        "/bin/x --listen=127.0.0.1:25440 /run/sockwake-a/socket "
        '/var/lib/sockwake/a/db 2544025440 "{other}"'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a command"),
        ("   ", "'   ' is not a command"),
        ("true", "'true' is not a command"),
        ("./true", "'./true' is not a command"),
        ("{port}", "'{port}' is not a command"),
        ("/bin/true 'x", "'/bin/true 'x' is not a command: no closing quotation"),
        ("/bin/true x\\", "'/bin/true x\\' is not a command: no escaped character"),
        ("/bin/true a\nb", "'/bin/true a\nb' is not a command"),
        ("/bin/true \x1b[31m", "'/bin/true \x1b[31m' is not a command"),
        ("/bin/true \udcff", "'/bin/true \udcff' is not a command"),
    ],
)
def test_what_is_no_command_is_refused(text: str, message: str) -> None:
    with pytest.raises(SockwakeError) as caught:
        option_types.command_line(text)
    assert (caught.value.message, caught.value.status) == (shown(message), USAGE)


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a\\b", "a$b", "$HOME"])
def test_a_program_whose_path_systemd_does_not_take_is_refused(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    shutil.copy("/bin/true", program)
    quoted = str(program).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$")
    with pytest.raises(SockwakeError, match="systemd cannot run .*") as caught:
        option_types.command_line(f'"{quoted}"')
    assert caught.value.status == USAGE


def test_in_a_tree_it_is_the_tree_s_program(tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    shutil.copy("/bin/true", tmp_path / "opt/only-here")
    host.require_program("/opt/only-here", str(tmp_path))
    with pytest.raises(SockwakeError, match="/opt/only-here is not a program"):
        host.require_program("/opt/only-here", "")


@pytest.mark.parametrize("path", ["/nonexistent", "/etc/passwd", "/tmp"])
def test_a_path_without_a_program_is_refused(path: str) -> None:
    with pytest.raises(SockwakeError, match=f"{path} is not a program") as caught:
        host.require_program(path, "")
    assert caught.value.status == USAGE


@pytest.mark.parametrize(
    ("given_", "mode"), [("0660", "0660"), ("660", "0660"), ("0000", "0000"), ("777", "0777")]
)
def test_a_socket_s_mode_is_octal(given_: str, mode: str) -> None:
    assert option_types.socket_mode(given_) == mode


@pytest.mark.parametrize(
    "text", ["", "0", "66", "066", "0888", "06660", "u+w", "-660", "0o660", " 0660", "1777", "٠٦٦٠"]
)
def test_what_is_no_mode_is_refused(text: str) -> None:
    with pytest.raises(SockwakeError, match="socket mode .* is not valid"):
        option_types.socket_mode(text)


def test_a_user_has_to_exist_except_in_a_tree() -> None:
    host.require_user("root", "")
    host.require_user("no-such-user", "/tree")
    with pytest.raises(SockwakeError, match="there is no user 'no-such-user'"):
        host.require_user("no-such-user", "")


@given(st.text(max_size=12))
@example("")
@example("1000")
@example("a%b")
def test_no_name_of_a_user_means_something_else_in_a_unit_file(name: str) -> None:
    try:
        values.user(name)
    except SockwakeError as error:
        assert error.message == shown(f"'{name}' is not the name of a user")
        return
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name)


def test_a_check_is_a_program_or_one_of_two_words(tmp_path: Path) -> None:
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for text in ("builtin", "none", str(program)):
        host.require_check(text, "")
    program.chmod(0o644)
    for text in (str(program), str(tmp_path)):
        with pytest.raises(SockwakeError, match="is not a program"):
            host.require_check(text, "")
