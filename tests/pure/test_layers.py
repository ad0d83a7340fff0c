"""The order of the package's folders: each imports only those before it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tree import SOURCE

PACKAGE = SOURCE / "sockwake"
LAYERS = (
    ("errors",),
    ("kinds", "protocol"),
    ("config",),
    ("system",),
    ("engine", "clients", "postgres", "oci"),
    ("lifecycle",),
    ("service", "admin"),
)
LAYER = {folder: number for number, layer in enumerate(LAYERS) for folder in layer}
MODULES = sorted(
    path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"
)


def folder(module: Path) -> str:
    return module.with_suffix("").parts[0]


def imported(module: Path) -> Iterator[str]:
    """Every module of the package that a module imports, anywhere in it, as in "config.scope"."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (
                alias.name.removeprefix("sockwake.")
                for alias in node.names
                if alias.name.startswith("sockwake.")
            )
        elif (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] == "sockwake"
        ):
            path = node.module.removeprefix("sockwake").strip(".")
            names = [f"{path}.{alias.name}".strip(".") for alias in node.names]
            yield from ([path] if (PACKAGE / f"{path.replace('.', '/')}.py").is_file() else names)


def is_allowed(importer: Path, other: str) -> bool:
    here, there = folder(importer), other.split(".")[0]
    if (here, there) == ("system", "config"):
        return other == "config.scope"
    return here == there or LAYER[there] < LAYER[here]


def test_every_folder_has_its_layer() -> None:
    assert {folder(module) for module in MODULES} == set(LAYER)


def test_a_module_imports_only_from_the_folders_before_its_own() -> None:
    assert [
        f"{module}: {other}"
        for module in MODULES
        for other in imported(module)
        if not is_allowed(module, other)
    ] == []


def test_a_folder_itself_imports_nothing() -> None:
    bodies = {
        str(path.relative_to(SOURCE)): ast.parse(path.read_text()).body
        for path in PACKAGE.rglob("__init__.py")
    }
    assert [
        name for name, body in bodies.items() if len(body) != 1 or not isinstance(body[0], ast.Expr)
    ] == []


def test_no_module_imports_one_that_imports_it() -> None:
    """Imports inside functions and for types alone count, too."""
    below = {".".join(module.with_suffix("").parts): set(imported(module)) for module in MODULES}
    while free := [name for name, others in below.items() if not others & below.keys()]:
        for name in free:
            del below[name]
    assert below == {}
