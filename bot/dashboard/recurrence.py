"""How a schedule's times are said in a line. Pure."""

from bot.dashboard.words import length, within
from durable.schedules import NOTHING, Cron, Every, Spec


def said(spec: Spec | None) -> str:
    """`every 5 min`, `0 9 * * mon-fri (Europe/Berlin), up to 30 s late`."""
    if spec is None:
        return "unreadable for this release"
    jitter = f", up to {within(spec.jitter)} late" if spec.jitter > NOTHING else ""
    match spec:
        case Every():
            return f"every {length(spec.interval.total_seconds())}{jitter}"
        case Cron():
            return f"{spec.expression} ({spec.zone}){jitter}"


def missed(spec: Spec | None) -> str:
    """What becomes of times at which no worker ran."""
    if spec is None:
        return "-"
    catch_up = spec.catch_up
    return {
        "none": "left out",
        "last": "the latest runs",
        "all": f"the latest {catch_up.most} run",
    }[catch_up.missed]
