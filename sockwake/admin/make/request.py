"""Request: what sockwake-new will make, decided; and the files of the instance."""

from dataclasses import dataclass, field

from sockwake.admin import inventory, option_types
from sockwake.admin.make.origin import Origin
from sockwake.config import scope
from sockwake.config.endpoint import Endpoint
from sockwake.config.instance import Instance, Name
from sockwake.kinds.table import KINDS, Kind

_ORDER = (
    "KIND RUNTIME ENGINE PROJECT PROFILES PORTS VERSION IMAGE LISTEN PORT ALLOW SOCKET_USER "
    "SOCKET_MODE BACKEND_PORT READY CLIENT_FIRST PROBE_HOST IDLE CHECK CHECK_EVERY START_TIMEOUT "
    "MEMORY CPUS PIDS MAX_CLIENTS PRESSURE DB_USER DB_NAME DATA SERVICE TLS"
).split()


@dataclass
class Request:
    """What one sockwake-new will make.

    port: None for the next free one. data: "" for the default directory, or none.
    lines: those of instance.env that are known before the port is.
    values: for the template of the definition. definition: its text, when a compose file is given.
    words: the command of a program. private_port: its port is in a network namespace of its own.
    tls: texts of certificate and key; ("", "") where the first wake makes them.
    adopt: the data directory holds data already. continues: whether it has these, or a program's.
    engine: the name of the engine, if it needs one.
    engine_why: why it is that one, "" where there was no choice.
    endpoints: of a project. copy_from: the directory of which its own becomes a copy, "" for none.
    archive: the path of the archive that its images come from, into a tree; "" for none.
    images: of a project. origin: what its cluster begins with, None for an empty one.
    environment: the text of the file of its container's variables.
    password: the superuser's, when it is given.
    fix_hba: whether to write into an adopted cluster what lets clients log in.
    warnings: sentences that sockwake-new prints.
    """

    name: Name
    kind_name: str
    root: str
    listen: list[str]
    port: int | None
    data: str = ""
    lines: dict[str, str] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    definition: str = ""
    words: list[str] = field(default_factory=list)
    private_port: bool = True
    tls: tuple[str, str] | None = None
    adopt: bool = False
    continues: bool = False
    engine: str = ""
    engine_why: str = ""
    endpoints: list[Endpoint] = field(default_factory=list)
    copy_from: str = ""
    archive: str = ""
    images: list[str] = field(default_factory=list)
    origin: Origin | None = None
    environment: str = ""
    password: str = ""
    fix_hba: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        return KINDS[self.kind_name]

    @property
    def runtime(self) -> str:
        """What wakes it."""
        return self.lines.get("RUNTIME") or self.kind.runtimes[0]

    @property
    def definition_file(self) -> str:
        """The file that defines its backend, "" for a project."""
        return self.kind.definition_for(self.runtime)

    @property
    def final(self) -> Instance:
        return Instance(self.name, self.root)

    @property
    def version(self) -> str:
        return self.lines.get("VERSION", "")

    @property
    def image(self) -> str:
        return self.lines.get("IMAGE", "")

    @property
    def has_cluster(self) -> bool:
        return self.kind.has_cluster

    @property
    def keeps_data(self) -> bool:
        """Whether sockwake makes the data directory; systemd does for a program."""
        return self.has_cluster or bool(self.values.get("mount"))

    @property
    def data_directory(self) -> str:
        """The data directory, as the running system will see it."""
        return self.data or self.final.data

    def is_told(self, place: str) -> bool:
        """Whether the program's command has {port}, {socket} or {data} in it."""
        return f"{{{place}}}" in " ".join(self.words)

    def needs_port(self) -> bool:
        """Whether the backend needs a port of the host."""
        return not self.private_port and self.is_told("port")

    def enabling(self) -> str:
        """The command that opens the port: at once, or in a tree from the next boot on."""
        how = ("enable",) if self.root else ("enable", "--now")
        return scope.command("systemctl", *how, self.final.socket_unit)

    def places(self, port: int) -> list[str]:
        """Its addresses, and the paths of its unix sockets."""
        return [
            option_types.socket_path(item, port)
            if item.startswith("/") and self.has_cluster
            else item
            for item in self.listen
        ]

    def settings(self, port: int, backend_port: int = 0) -> dict[str, str]:
        """The lines of instance.env in order. backend_port: for a program that needs_port()."""
        lines = {"KIND": self.kind_name, **self.lines}
        if self.kind.has_several_ports:
            lines["PORTS"] = ",".join(map(str, self.endpoints))
        else:
            lines |= {"LISTEN": ",".join(self.places(port)), "PORT": str(port)}
        if self.is_told("port") and not self.kind.takes_socket:
            lines.setdefault("BACKEND_PORT", str(backend_port or port))
        if self.tls:
            lines["TLS"] = "yes"
        order = [key for key in _ORDER if key in lines]
        return {key: lines[key] for key in dict.fromkeys([*order, *lines])}

    def files(self, port: int, password: str, backend_port: int = 0) -> dict[str, tuple[int, str]]:
        """The files in /etc/sockwake/NAME: name to (mode, text); password "" for no such file."""
        # late: jinja2 takes 50 ms, for which no error message should wait
        from sockwake.admin.make.render import render

        settings = self.settings(port, backend_port)
        places = {
            "port": settings.get("BACKEND_PORT", str(port)),
            "socket": f"/run/sockwake-{self.name}/socket",
            "data": self.data_directory,
        }
        values = {
            "name": self.name,
            "switch": "".join(f"{each} " for each in scope.switch()),
            "settings": settings,
            "tls": bool(self.tls),
            "environment": bool(self.environment),
            "port": settings.get("BACKEND_PORT", ""),
            "ready": settings.get("READY", ""),
            "exec": option_types.exec_line(self.words, places),
            **self.values,
        }
        files = {"instance.env": (0o644, render("instance.env", values))}
        if name := self.definition_file:
            definition = self.definition or render(f"{self.kind_name}/{name}", values)
            files[name] = (0o644, definition)
        if self.engine_why:
            files[inventory.ENGINE_NOTE] = (0o644, f"{self.engine}: {self.engine_why}\n")
        if self.environment:
            files["environment"] = (0o600, self.environment)
        if password:
            files["password"] = (0o600, password)
        if self.tls and self.tls[0]:
            files |= {"server.crt": (0o644, self.tls[0]), "server.key": (0o600, self.tls[1])}
        if self.keeps_data and not self.adopt:
            note = "the first wake makes what is to be in its data directory\n"
            files["uninitialised"] = (0o644, note)
        return files
