"""A container that crun runs outside its unit (sockwake/oci/container.py)."""

from pathlib import Path

from sockwake.oci.container import Container

# as crun does it: the file is there for a moment before its number
SLOWLY = 'file=$1; : >"$file"; sleep 0.3; printf %d $$ >"$file"; exec sleep 60'


def test_one_that_has_not_said_its_number_yet_has_not_started(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    container = Container(["sh", "-c", SLOWLY, "sh", str(file)], str(file), str(tmp_path / "state"))
    try:
        container.start(10)
        assert Path(f"/proc/{container.pid()}/comm").exists()
    finally:
        container.close()
