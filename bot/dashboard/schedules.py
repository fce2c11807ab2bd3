"""The page of what recurs: when each schedule runs next, what ran last, and buttons to steer it."""

from bot.dashboard import recurrence
from bot.dashboard.pages import Act, Asked, Done, Pages, Refused, View
from durable.scheduler import Schedules

_SUBJECT = "name"


def add(pages: Pages, schedules: Schedules) -> None:
    """Add the page and its buttons."""

    def view(_: Asked) -> View:
        found = schedules.list()
        last = schedules.latest()
        rows = [
            {
                "schedule": schedule,
                "says": recurrence.said(schedule.spec),
                "missed": recurrence.missed(schedule.spec),
                "last": last.get(schedule.name),
            }
            for schedule in found
        ]
        return View("schedules.html", {"rows": rows})

    def pause(asked: Asked) -> Done:
        name = asked.parameters[_SUBJECT]
        if not schedules.pause(name):
            raise Refused(f"{name} is paused already")
        return Done(f"{name} is paused: nothing begins by it until it is resumed")

    def resume(asked: Asked) -> Done:
        name = asked.parameters[_SUBJECT]
        if not schedules.resume(name):
            raise Refused(f"{name} is not paused")
        return Done(f"{name} goes on; what was due meanwhile is left out")

    def trigger(asked: Asked) -> Done:
        return Done(f"{schedules.trigger(asked.parameters[_SUBJECT])} is started")

    pages.view("/schedules", view)
    for name, do in (("pause", pause), ("resume", resume), ("trigger", trigger)):
        pages.act(f"/schedules/{{name}}/{name}", Act(f"{name} schedule", do, _SUBJECT))
