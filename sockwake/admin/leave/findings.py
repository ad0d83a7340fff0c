"""What is found of an instance that is to leave, and how much it weighs."""

from dataclasses import dataclass

from sockwake.admin.leave.targets import Target

STOPS, LOST, TO_DO, FINE = "stops", "lost", "to do", "fine"
WEIGHTS = (STOPS, LOST, TO_DO, FINE)


@dataclass(frozen=True)
class Point:
    """One finding: subject, how much it weighs (WEIGHTS), and what there is to say."""

    subject: str
    weight: str
    text: str


@dataclass(frozen=True)
class Plan:
    """A move.

    method: one of the target's, or "". database: which is imported into CloudNativePG, "" for
    another target. reachable: whether the instance has an address of the network, where the target
    needs one. tls: whether it offers TLS. sockets: its unix sockets. allow: its ALLOW=. is_of_host:
    whether its server is the host's, and has no image.
    """

    target: Target
    method: str = ""
    database: str = ""
    reachable: bool = True
    tls: bool = False
    sockets: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    is_of_host: bool = False

    @property
    def same_image(self) -> bool:
        """Whether the target runs the very image that runs here."""
        return self.target.same_image and not self.is_of_host
