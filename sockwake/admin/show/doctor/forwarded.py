"""A check of instances that are forwarded: whether their clients are served."""

from collections.abc import Iterator

from sockwake.admin.show.doctor.finding import Finding, Patient, command
from sockwake.config import forwarding as forwardings
from sockwake.errors import SockwakeError


def leaderless(patient: Patient) -> Iterator[Finding]:
    """Servers of which none leads, a file that cannot be used, or that systemd has not read."""
    for instance in patient.chosen:
        if forwardings.is_led(instance) != forwardings.is_there(instance):
            done = "forwarded" if forwardings.is_there(instance) else "led back"
            again = command("sockwake apply", instance.name)
            yield Finding(f"it was {done}, and systemd has not read that", again, instance.name)
            continue
        try:
            there = forwardings.of(instance)
        except SockwakeError as error:
            back = command("sockwake forward", instance.name, "--back")
            yield Finding(error.whole, back, instance.name)
            continue
        if there:
            from sockwake.lifecycle import targets  # late: few are

            if not targets.leader(there):
                shown = command("sockwake forward", instance.name)
                yield Finding(
                    f"its clients are forwarded to {there}, where none leads", shown, instance.name
                )
