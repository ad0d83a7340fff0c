"""What a new instance begins with when it does not begin empty: sockwake-new --from."""

from dataclasses import dataclass, field

SQL, ARCHIVE, BACKUP, CLUSTER, DATA, TAR = "sql", "archive", "backup", "cluster", "data", "tar"
_OF_FILES = (CLUSTER, DATA, TAR)


@dataclass(frozen=True)
class Origin:
    """What there is.

    path: the file or directory. form: SQL, ARCHIVE (pg_dump --format=custom or tar), BACKUP (a
    dump of sockwake's), or files: CLUSTER, DATA (a data directory, with all versions of it), TAR
    (of pg_basebackup). major: its version, 0 when not known. packed: the program that unpacks it,
    or "". creates: whether a dump has its databases and roles in it. databases: of a BACKUP, each
    with its file. defaults: values of options that an instance's own files tell. password: the
    superuser's, when it is known.
    """

    path: str
    form: str
    major: int = 0
    packed: str = ""
    creates: bool = False
    databases: tuple[tuple[str, str], ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    password: str = ""

    @property
    def is_files(self) -> bool:
        """Whether it has the files of a cluster, and no dump."""
        return self.form in _OF_FILES
