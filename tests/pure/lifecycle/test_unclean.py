"""What systemctl and the journal tell of backends that systemd could not run, or did not start."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sockwake.lifecycle import unclean
from sockwake.lifecycle.unclean import Unclean
from sockwake.system import process, systemctl

RAN = "{ path=/x ; start_time=[Tue] ; stop_time=[Tue] ; pid=7 ; code=exited ; status=0 }"
NOT_RUN = "{ path=/x ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }"
REFUSED = "{ path=/x ; start_time=[Tue] ; stop_time=[Tue] ; pid=7 ; code=exited ; status=217 }"
KILLED = "{ path=/x ; start_time=[Tue] ; stop_time=[Tue] ; pid=7 ; code=killed ; status=9/KILL }"
PG1 = "pg-postgres@pg1.service"
Shown = Callable[[dict[str, str]], None]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Has systemctl show these properties of pg1, by the pattern or name that is asked for."""

    def show(answers: dict[str, str]) -> None:
        monkeypatch.setattr(systemctl, "run", lambda *words, **_: answers.get(words[-1], ""))

    return show


@pytest.mark.parametrize(
    ("state", "stop_posts", "is_found"),
    [
        ("failed", [RAN], False),
        ("failed", [RAN, NOT_RUN], False),  # the second is an administrator's
        ("failed", [NOT_RUN], True),
        ("failed", [REFUSED, RAN], True),
        ("failed", [KILLED], True),
        ("inactive", [NOT_RUN], False),
    ],
)
def test_one_behind_which_nothing_was_run_is_found(
    shown: Shown, state: str, stop_posts: list[str], is_found: bool
) -> None:
    told = [f"Id={PG1}", f"ActiveState={state}", *(f"ExecStopPost={each}" for each in stop_posts)]
    told += ["InvocationID=abc", "Result=exit-code", "ExecMainStatus=217"]
    shown({"pg-postgres@*.service": "\n".join(told)})
    found = [Unclean(PG1, "abc", "exit-code", "217")] if is_found else []
    assert unclean.look() == (found, [])


def test_one_that_is_on_its_way_is_told_apart(shown: Shown) -> None:
    shown({PG1: f"Id={PG1}\nActiveState=deactivating\nExecStopPost={NOT_RUN}\n"})
    assert unclean.look(PG1) == ([], [PG1])


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("resources", ("resources", "", "")),
        ("exit-code", ("exit-code", "exited", "217")),
        ("oom-kill", ("signal", "killed", "KILL")),
        ("signal", ("signal", "killed", "KILL")),
    ],
)
def test_what_cleans_up_is_told_as_systemd_would(result: str, told: tuple[str, ...]) -> None:
    environment = Unclean(PG1, "abc", result, "217").environment()
    assert environment.pop("INVOCATION_ID") == "abc"
    assert tuple(environment.values()) == told


@pytest.mark.parametrize(
    ("result", "status", "lines", "why"),
    [
        (
            *("exit-code", "200"),
            f"{PG1}: Changing to /x failed: No such file\n{PG1}: Failed at step CHDIR spawning /y",
            "Changing to /x failed: No such file",
        ),
        (
            *("resources", "0"),
            f"{PG1}: Failed to load environment files: X\n{PG1}: Failed to spawn 'start' task: X",
            "Failed to load environment files: X",
        ),
        ("exit-code", "217", f"{PG1}: Failed at step USER spawning /y: X", "Failed at step USER"),
        ("exit-code", "200", f"{PG1}: Main process exited", ""),  # a program's own status
        ("exit-code", "1", f"{PG1}: X\n{PG1}: Failed at step USER spawning /y: X", ""),
    ],
)
def test_systemd_s_own_reason_is_told(
    monkeypatch: pytest.MonkeyPatch, result: str, status: str, lines: str, why: str
) -> None:
    monkeypatch.setattr(process, "run", lambda *_, **__: lines)
    found = unclean.why_not_run("abc", result, status)
    assert found.startswith(why) and bool(found) == bool(why)


@pytest.mark.parametrize(
    ("proxy", "backend", "why"),
    [
        ("auto-restart,225", "inactive,no,yes", "a condition of it is not met"),
        ("auto-restart,225", "inactive,yes,no", "a condition of it is not met"),
        ("failed,225", "inactive,yes,yes", "what it requires has failed"),
        ("auto-restart,225", "activating,yes,yes", ""),
        ("auto-restart,1", "inactive,no,yes", ""),
        ("running,225", "inactive,no,yes", ""),
    ],
)
def test_a_proxy_without_a_backend_is_found(
    shown: Shown, proxy: str, backend: str, why: str
) -> None:
    state, status = proxy.split(",")
    its, condition, asserted = backend.split(",")
    unit = "pg-proxy@pg1.service"
    shown(
        {
            "pg-proxy@*.service": f"Id={unit}\nSubState={state}\nExecMainStatus={status}\n",
            PG1: f"Id={PG1}\nActiveState={its}\nConditionResult={condition}\n"
            f"AssertResult={asserted}\n",
        }
    )
    assert unclean.without_backend() == ({unit: why} if why else {})
