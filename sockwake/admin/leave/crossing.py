"""What the way to another home takes: replication, addresses. Pure."""

from collections.abc import Iterator

from sockwake.admin.leave.findings import LOST, STOPS, TO_DO, Plan, Point
from sockwake.admin.leave.survey import Database, Survey
from sockwake.admin.leave.targets import CNPG, PATRONI, SUBSCRIPTION
from sockwake.admin.words import listed
from sockwake.config import scope


def points(survey: Survey, plan: Plan) -> Iterator[Point]:
    """All findings of this subject."""
    yield from _replication(survey, plan)
    if plan.method == SUBSCRIPTION:
        yield from _subscription(survey, plan)
    yield from _address(plan)


def _replication(survey: Survey, plan: Plan) -> Iterator[Point]:
    if survey.slots:
        yield Point("replication", LOST, f"replication slots {listed(survey.slots)}")
    if survey.subscriptions:
        yield Point(
            "replication",
            TO_DO,
            f"subscriptions {listed(survey.subscriptions)}: enable them there, not in both places",
        )
    if survey.prepared and not plan.target.by_files:
        yield Point("transactions", LOST, f"{survey.prepared} prepared transactions")


def _subscription(survey: Survey, plan: Plan) -> Iterator[Point]:
    if survey.wal_level != "logical":
        yield Point(
            "replication",
            STOPS,
            f"a subscription needs wal_level = logical, and it is {survey.wal_level}: "
            f"alter system set wal_level = logical, and {scope.command('sockwake sleep')}",
        )
    for each in survey.databases:
        if each.name == plan.database:
            yield from _not_replicated(each)


def _not_replicated(each: Database) -> Iterator[Point]:
    if each.no_identity:
        yield Point(
            "replication",
            TO_DO,
            f"{listed(each.no_identity)} without primary key: updates and deletes fail as long as "
            "they are published, unless REPLICA IDENTITY FULL",
        )
    if each.sequences:
        yield Point("sequences", TO_DO, "a subscription brings none of their values: see README")
    if each.large_objects:
        yield Point("large objects", LOST, "a subscription brings none")
    if each.unlogged:
        yield Point("tables", LOST, f"the rows of {each.unlogged} unlogged tables")


def _address(plan: Plan) -> Iterator[Point]:
    if plan.sockets:
        yield Point(
            "address", LOST, f"{listed(plan.sockets)}: its clients need a TCP address there"
        )
    if plan.allow:
        yield Point(
            "address", TO_DO, f"ALLOW={','.join(plan.allow)} stays behind: a firewall there"
        )
    if not plan.reachable:
        yield Point(
            "address", TO_DO, "it listens on this machine alone: LISTEN= of the network's first"
        )
    elif plan.target.name in (CNPG, PATRONI) and not plan.tls:
        yield Point("address", TO_DO, "its data travel without TLS: a network of its own, or a VPN")
