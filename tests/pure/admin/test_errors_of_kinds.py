"""Errors of each kind's options: what is missing, what is another kind's, and bad values."""

import shutil

import pytest
from refusals import PORT_RANGE, SPAN, UNQUOTED, brief, told

from fault import undisturbed
from sockwake.admin import cli, parser
from sockwake.admin.make.decide import decide
from sockwake.admin.verbs import VERBS
from sockwake.errors import USAGE, SockwakeError, shown
from tree import Tree

PROGRAM = "--exec '/path/of/program --port {port}'"
IMAGE = "--image nginx:1.26 --container-port 80"
WHERE = "say {port} or {socket} where it takes either"
CONTAINER = ["--kind", "container", "--image", "nginx:1.26", "--container-port", "80"]
COMMAND = ["--kind", "command", "--exec", "/bin/true {port}"]
NATIVE = ["--kind", "native", "--exec", "/bin/true"]
POSTGRES = ["--version", "18"]
KINDS_THERE_ARE = "postgres, container, project, command, native"
FINITE = "is not a finite time of a second or more"

# arguments after `sockwake new a`, message, hint; the tree's programs are /bin/true and /bin/check
BAD_OPTIONS_OF_KINDS: list[tuple[list[str], str, str]] = [
    (["--kind", "mysql"], f"kind 'mysql' is not known: {KINDS_THERE_ARE}", ""),
    (["--kind", ""], "the value of --kind is empty", ""),
    (["--kind", "../container"], f"kind '../container' is not known: {KINDS_THERE_ARE}", ""),
    # what is missing
    (["--kind", "container"], "a container needs either --image or --compose", IMAGE),
    (
        ["--kind", "container", "--container-port", "80"],
        "a container needs either --image or --compose",
        IMAGE,
    ),
    (
        ["--kind", "container", "--image", "nginx"],
        "--container-port is missing",
        "the port its server listens on, in the container",
    ),
    (
        [*CONTAINER, "--compose", "/etc/hostname"],
        "a container needs either --image or --compose",
        IMAGE,
    ),
    ([*CONTAINER, "--service", "web"], "--service is for --compose", "an image is one service"),
    (
        [*CONTAINER, "--data", "/srv/a"],
        "--data needs --mount",
        "where the directory is to be in the container",
    ),
    (["--kind", "command"], "--exec is missing", PROGRAM),
    (["--kind", "native"], "--exec is missing", "--exec '/path/of/program'"),
    # a program and where it listens
    (
        ["--kind", "command", "--exec", "/bin/true"],
        "--exec does not tell where the program listens",
        WHERE,
    ),
    (
        ["--kind", "command", "--exec", "/bin/true {port} {socket}"],
        "--exec does not tell where the program listens",
        WHERE,
    ),
    (
        ["--kind", "command", "--exec", "/bin/true {Port}"],
        "--exec does not tell where the program listens",
        WHERE,
    ),
    (["--kind", "command", "--exec", ""], "the value of --exec is empty", ""),
    (["--kind", "command", "--exec", " "], "' ' is not a command", PROGRAM),
    (["--kind", "command", "--exec", "true {port}"], "'true {port}' is not a command", PROGRAM),
    (
        ["--kind", "command", "--exec", "/bin/true '{port}"],
        "'/bin/true '{port}' is not a command: no closing quotation",
        "",
    ),
    (
        ["--kind", "command", "--exec", "/bin/true {port}\nUser=root"],
        "'/bin/true {port}\nUser=root' is not a command",
        PROGRAM,
    ),
    (["--kind", "command", "--exec", "/bin/no {port}"], "/bin/no is not a program", ""),
    (["--kind", "command", "--exec", "/bin {port}"], "/bin is not a program", ""),
    (
        ["--kind", "command", "--exec", "/bin/check.txt {port}"],
        "/bin/check.txt is not a program",
        "",
    ),
    (
        [*COMMAND, "--network", "bridge"],
        "a program's network is 'none' or 'host', not 'bridge'",
        "",
    ),
    ([*NATIVE, "--network", "a b"], "network 'a b' is not valid", ""),
    ([*COMMAND, "--run-as", "a b"], "'a b' is not the name of a user", ""),
    ([*COMMAND, "--run-as", "%u"], "'%u' is not the name of a user", ""),
    ([*COMMAND, "--run-as", ""], "the value of --run-as is empty", ""),
    # a container
    (
        ["--kind", "container", "--image", "a b", "--container-port", "80"],
        "image 'a b' is not valid",
        "",
    ),
    (
        ["--kind", "container", "--image", "x:{version}", "--container-port", "80"],
        "image 'x:{version}' is not valid",
        "",
    ),
    (
        ["--kind", "container", "--image", "nginx", "--container-port", "0"],
        f"--container-port: port '0' {PORT_RANGE}",
        "",
    ),
    (
        ["--kind", "container", "--image", "nginx", "--container-port", "http"],
        f"--container-port: port 'http' {PORT_RANGE}",
        "",
    ),
    ([*CONTAINER, "--mount", "data"], "'data' is not an absolute path in the container", ""),
    ([*CONTAINER, "--mount", "/"], "'/' is not an absolute path in the container", ""),
    ([*CONTAINER, "--mount", "/a:/b"], "'/a:/b' is not an absolute path in the container", ""),
    ([*CONTAINER, "--mount", "/$x"], f"the value of --mount {UNQUOTED}", ""),
    ([*CONTAINER, "--mount", ""], "the value of --mount is empty", ""),
    ([*CONTAINER, "--engine", "lxc"], "engine 'lxc' is not known: docker, podman", ""),
    (["--version", "18", "--engine", "Docker"], "engine 'Docker' is not known: docker, podman", ""),
    (
        ["--compose", "/nonexistent", "--container-port", "80"],
        "--container-port is not for an instance of kind 'project'",
        "it is for kind container",
    ),
    (["--compose", "/srv/a$b"], f"the path of the project {UNQUOTED}", ""),
    (["--kind", "project"], "--compose is missing", "--compose /srv/shop"),
    (["--compose", "/srv", "--service", "a#b"], f"the value of --service {UNQUOTED}", ""),
    (["--compose", "/srv", "--profile", "a b"], "'a b' is not the name of a compose profile", ""),
    (
        ["--compose", "/srv", "--listen", "/run/s"],
        "a project has no unix socket",
        "--listen takes its addresses",
    ),
    (
        ["--kind", "container", "--compose", "/etc/hostname", "--mount", "/data"],
        "--network and --mount are for --image",
        "write it into the compose file",
    ),
    (
        ["--kind", "container", "--compose", "/etc/hostname", "--network", "none"],
        "--network and --mount are for --image",
        "write it into the compose file",
    ),
    # ready, check, socket
    (
        [*CONTAINER, "--ready", "start"],
        "an instance of kind 'container' cannot be ready by 'start'",
        "it can by tcp or http:/PATH",
    ),
    (
        [*CONTAINER, "--ready", "postgres"],
        "an instance of kind 'container' cannot be ready by 'postgres'",
        "it can by tcp or http:/PATH",
    ),
    (
        [*COMMAND, "--ready", "https:/"],
        "an instance of kind 'command' cannot be ready by 'https:/'",
        "it can by tcp or http:/PATH",
    ),
    (
        [*COMMAND, "--ready", "http:/a b"],
        "an instance of kind 'command' cannot be ready by 'http:/a b'",
        "it can by tcp or http:/PATH",
    ),
    ([*COMMAND, "--ready", "http:/$x"], f"the value of --ready {UNQUOTED}", ""),
    ([*COMMAND, "--ready", "http:/\r\nX: y"], f"the value of --ready {UNQUOTED}", ""),
    (
        [*NATIVE, "--ready", "tcp"],
        "an instance of kind 'native' cannot be ready by 'tcp'",
        "it can by notify or start",
    ),
    ([*NATIVE, "--ready", ""], "the value of --ready is empty", ""),
    (
        [*CONTAINER, "--check", "check"],
        "check 'check' is not the absolute path of a program",
        "or builtin, or none",
    ),
    ([*CONTAINER, "--check", ""], "the value of --check is empty", ""),
    ([*CONTAINER, "--check", "/bin/no"], "/bin/no is not a program", ""),
    ([*CONTAINER, "--check", "/bin"], "/bin is not a program", ""),
    ([*CONTAINER, "--check", "/bin/a'b"], f"the value of --check {UNQUOTED}", ""),
    ([*CONTAINER, "--check-every", "0"], f"check interval '0' {FINITE}", ""),
    ([*CONTAINER, "--check-every", "999ms"], f"check interval '999ms' {FINITE}", ""),
    ([*CONTAINER, "--check-every", "infinity"], f"check interval 'infinity' {FINITE}", ""),
    ([*CONTAINER, "--check-every", "often"], "'often' is not a time span", SPAN),
    (["--version", "18", "--check-every", ""], "the value of --check-every is empty", ""),
    (["--version", "18", "--socket-user", "a:b"], "'a:b' is not the name of a user", ""),
    (["--version", "18", "--socket-user", ""], "the value of --socket-user is empty", ""),
    (
        ["--version", "18", "--socket-user", "root\nSocketMode=0777"],
        "'root\nSocketMode=0777' is not the name of a user",
        "",
    ),
    ([*NATIVE, "--socket-mode", "0888"], "socket mode '0888' is not valid", "write it as in 0660"),
    ([*NATIVE, "--socket-mode", "u=rw"], "socket mode 'u=rw' is not valid", "write it as in 0660"),
    ([*NATIVE, "--socket-mode", ""], "the value of --socket-mode is empty", ""),
]


# arguments of one kind, an option of others, its value, and the kinds that take it
OTHER_KINDS = [
    (CONTAINER, "--version", "18", "postgres"),
    (CONTAINER, "--db-user", "me", "postgres"),
    (CONTAINER, "--set", "a=b", "postgres"),
    (CONTAINER, "--tls", None, "postgres"),
    (CONTAINER, "--session-idle", "1h", "postgres"),
    (CONTAINER, "--exec", "/bin/true", "command or native"),
    (CONTAINER, "--profile", "full", "project"),
    (CONTAINER, "--copy", None, "project"),
    (["--compose", "/srv/shop"], "--exec", "/bin/true", "command or native"),
    (CONTAINER, "--run-as", "root", "command or native"),
    (COMMAND, "--image", "nginx", "postgres or container"),
    (COMMAND, "--container-port", "80", "container"),
    (COMMAND, "--data", "/srv/a", "postgres or container"),
    (COMMAND, "--engine", "podman", "postgres or container or project"),
    (NATIVE, "--mount", "/data", "container"),
    (POSTGRES, "--ready", "tcp", "container or project or command or native"),
    (POSTGRES, "--exec", "/bin/true", "command or native"),
    (POSTGRES, "--container-port", "5432", "container"),
    ([*POSTGRES, "--kind", "postgres"], "--compose", "/etc/hostname", "container or project"),
]


@pytest.mark.parametrize(("options", "flag", "value", "theirs"), OTHER_KINDS, ids=brief)
def test_new_refuses_an_option_of_another_kind(
    tree: Tree, options: list[str], flag: str, value: str | None, theirs: str
) -> None:
    before = tree.snapshot_of_names()
    given = [*options, flag, *([value] if value else [])]
    ended = undisturbed(lambda: cli.main(["new", "a", "--root", str(tree), *given]))
    kind = "project" if options[0] == "--compose" else "postgres"
    kind = options[1] if options[0] == "--kind" else kind
    message = f"{flag} is not for an instance of kind '{kind}'"
    assert (ended.status, ended.stderr) == (USAGE, told(message, f"it is for kind {theirs}"))
    assert tree.snapshot_of_names() == before


@pytest.mark.parametrize(("options", "message", "hint"), BAD_OPTIONS_OF_KINDS, ids=brief)
def test_new_refuses_a_bad_option_of_every_kind(
    tree: Tree, options: list[str], message: str, hint: str
) -> None:
    (tree.path / "bin").mkdir()
    for program in ("true", "a'b"):
        shutil.copy("/bin/true", tree.path / "bin" / program)
    (tree.path / "bin/check.txt").write_text("")
    before = tree.snapshot_of_names()
    ended = undisturbed(lambda: cli.main(["new", "a", "--root", str(tree), *options]))
    assert (ended.status, ended.stdout, ended.stderr) == (USAGE, "", told(shown(message), hint))
    assert tree.snapshot_of_names() == before


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--run-as", "no-such-user", "there is no user 'no-such-user'"),
        ("--socket-user", "no-such-user", "there is no user 'no-such-user'"),
    ],
)
def test_an_unknown_user_is_refused(option: str, value: str, message: str) -> None:
    """Without --root, because a tree's users are not known: decide() makes nothing."""
    arguments = parser.build(VERBS).parse_args(["new", "a", *COMMAND, option, value])
    with pytest.raises(SockwakeError) as caught:
        decide(arguments)
    assert (caught.value.message, caught.value.status) == (message, USAGE)
