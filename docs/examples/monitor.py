"""Wait for a build elsewhere: look, pause, look again ever less often until it is done, and give up after a day.

    python -m bot workflow run monitor '"https://api.github.com/repos/OWNER/REPO/actions/runs/NUMBER"' --wait

The address answers as that of a run of GitHub Actions: `{"status": "in_progress", "conclusion": null}`, then `completed`.
"""

from datetime import timedelta

import requests

from durable import ActivityFailed, RetryPolicy, activity, info, now, rounds, set_status, sleep, workflow

FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 600.0
PATIENCE = timedelta(days=1)


@activity(retry=RetryPolicy(attempts=3))
def look_at(url: str) -> str | None:
    """The conclusion of the build, None before it has one. Reading may be repeated."""
    answer = requests.get(url, timeout=info().timeout)
    answer.raise_for_status()
    build = answer.json()
    return str(build["conclusion"]) if build["status"] == "completed" else None


@workflow
def monitor(url: str) -> str:
    """The conclusion, or "too late". A build that cannot be asked about is asked about again in the next round."""
    deadline = now() + PATIENCE
    for round_ in rounds(FIRST_PAUSE_S):
        try:
            if conclusion := look_at(url):
                return conclusion
            set_status({"looks": round_.number, "trouble": None})
        except ActivityFailed as failure:
            set_status({"looks": round_.number, "trouble": str(failure)})
        if now() >= deadline:
            break
        sleep(min(timedelta(seconds=round_.value), deadline - now()))
        round_.value = min(2 * round_.value, LONGEST_PAUSE_S)
    return "too late"
