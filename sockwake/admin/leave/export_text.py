"""What sockwake export says."""

from sockwake.admin.leave import preflight
from sockwake.admin.leave.export import Found
from sockwake.admin.words import size
from sockwake.errors import shown


def points(found: Found) -> str:
    """All that was found, with what would not survive first."""
    source, plan = found.source, found.plan
    way = f" ({plan.method})" if plan.method else ""
    count = len(source.survey.databases)
    lines = [
        f"{source.name}, PostgreSQL {source.survey.version}, "
        f"{count} database{'s' if count != 1 else ''}, {size(source.survey.size)}, "
        f"to {plan.target.title}{way}:"
    ]
    lines += [f"  {each.weight:<6} {each.subject}: {shown(each.text)}" for each in found.points]
    return "\n".join(lines)


def written(found: Found, place: str) -> str:
    """What there is now, and what comes next."""
    return f"Wrote {', '.join(found.written)} into {place}. Next: {place}/README."


def stops(found: Found) -> bool:
    """Whether something stands in the way."""
    return bool(preflight.stopping(found.points))
