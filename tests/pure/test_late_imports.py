"""The watcher loads all its code at its start, because an upgrade may take the files away."""

import ast
import sys
from pathlib import Path

import pytest

from tree import SOURCE, run

# Never loaded by the watcher: the settings may be invalid by then, and procnet is for
# sockdiag.listen(), which the waker calls.
# similar is for the errors of commands, and the last looks for a server that is in the way
NEVER_NEEDED = {
    *("sockwake.config.settings", "sockwake.config.similar", "sockwake.system.procnet"),
    "sockwake.lifecycle.served",
}
READS_SETTINGS = {"load", "load_if_valid"}


def loaded_by(module: str) -> set[str]:
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import {module}; print(*sys.modules)"
    )
    return {
        name
        for name in run(sys.executable, "-ISB", "-c", program).stdout.split()
        if name.startswith("sockwake.")
    }


def path_of(module: str) -> Path:
    path = SOURCE / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported_in_functions(module: str) -> set[str]:
    """The modules of the package that are imported inside functions of a module."""
    found: set[str] = set()
    for function in ast.walk(ast.parse(path_of(module).read_text())):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names if alias.name.startswith("sockwake")}
            elif (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").partition(".")[0] == "sockwake"
            ):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {name if path_of(name).is_file() else node.module or "" for name in names}
    return found


def test_the_watcher_imports_nothing_of_ours_later() -> None:
    loaded = loaded_by("sockwake.service.watcher")
    assert {
        "sockwake.service.watcher",
        "sockwake.lifecycle.monitor",
        "sockwake.system.sockdiag",
        "sockwake.lifecycle.proxy_netns",
    } <= loaded
    late = {module: imported_in_functions(module) - loaded - NEVER_NEEDED for module in loaded}
    assert {module: names for module, names in late.items() if names} == {}


@pytest.mark.parametrize(
    "module",
    [
        "service.watcher",
        "lifecycle.monitor",
        "lifecycle.proxy",
        "lifecycle.check_timer",
        "system.sdnotify",
        "system.journal",
        "system.sockdiag",
        "lifecycle.proxy_netns",
        "engine.container",
    ],
)
def test_a_module_of_the_watcher_never_reads_instance_env(module: str) -> None:
    calls = [
        node.func
        for node in ast.walk(ast.parse(path_of(f"sockwake.{module}").read_text()))
        if isinstance(node, ast.Call)
    ]
    called = {
        func.attr if isinstance(func, ast.Attribute) else func.id
        for func in calls
        if isinstance(func, (ast.Attribute, ast.Name))
    }
    assert READS_SETTINGS & called == set()


def test_the_watcher_does_not_load_cleanup() -> None:
    assert "sockwake.service.cleanup" not in loaded_by("sockwake.service.watcher")
