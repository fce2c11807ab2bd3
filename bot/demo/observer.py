"""Watches GitHub and Slack over the stand-ins' own interfaces and writes down what changed. It never asks the bot."""

import json
import re
from datetime import UTC, datetime
from html import unescape
from threading import Event, Thread

from bot.demo.ledger import Ledger, Reminder, Watched
from bot.demo.rest import RestError
from bot.demo.slack_world import Message, SlackWorld, SlackWorldError
from bot.demo.standins import SentDelivery, StandIns

_EVERY = 0.15
_COUNT = re.compile(r"\breminder (\d+)\b")
_MENTION = re.compile(r"<@(\w+)>")


class Observer:
    """A thread that looks several times a second until it is stopped."""

    def __init__(self, stand_ins: StandIns, slack: SlackWorld, ledger: Ledger) -> None:
        self._stand_ins = stand_ins
        self._slack = slack
        self._ledger = ledger
        self._names = {identity: name for name, identity in slack.people().items()}
        self._answered: set[str] = set()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no longer."""
        self._stopped.set()
        self._thread.join()

    def look(self) -> None:
        """Look once."""
        self._look_at_deliveries()
        channels = self._slack.channels()
        for watched in list(self._ledger.watched.values()):
            repository, number = watched.reference.split("#")
            prefix = f"pr-{repository.split('/')[1]}-{number}-"
            found = next((channel for channel in channels if channel.name.startswith(prefix)), None)
            if found is None:
                continue
            if not watched.channel:
                self._ledger.add("slack", f"{watched.reference} has its channel #{found.name}")
            watched.channel, watched.channel_id, watched.private = found.name, found.id, found.private
            self._look_into(watched)
            if found.archived and not watched.archived:
                self._ledger.add("slack", f"#{found.name} is archived")
            watched.archived = found.archived

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY):
            try:
                self.look()
            except (OSError, RestError, SlackWorldError) as error:
                self._ledger.add("trouble", f"could not look: {error}")

    def _look_at_deliveries(self) -> None:
        for delivery in self._stand_ins.deliveries():
            if delivery.status is None or delivery.id in self._answered:
                continue
            self._answered.add(delivery.id)
            self._ledger.add(
                "github" if delivery.status < 300 else "trouble",
                f"delivery {_what(delivery)} was answered {delivery.status}",
            )

    def _look_into(self, watched: Watched) -> None:
        members = tuple(sorted(self._slack.members(watched.channel_id) - {"vigil"}))
        if joined := [name for name in members if name not in watched.members]:
            self._ledger.add("slack", f"{', '.join(joined)} invited to #{watched.channel}")
        watched.members = members
        for post in self._slack.posts(watched.channel_id):
            if post.key is None or post.key in watched.keys:
                continue
            watched.keys.append(post.key)
            self._announce(watched, post)

    def _announce(self, watched: Watched, post: Message) -> None:
        counted = _COUNT.search(post.words)
        if counted is None:
            self._ledger.add("slack", f"#{watched.channel}: {unescape(post.text)}")
            return
        mentioned = dict.fromkeys(_MENTION.findall(post.words))
        names = tuple(self._names.get(identity, identity) for identity in mentioned)
        reminder = Reminder(int(counted.group(1)), names, datetime.now(UTC), post.ts)
        if any(reminder.number == former.number for former in watched.reminders):
            watched.twice.append(f"reminder {reminder.number} of {watched.reference}")
        watched.reminders.append(reminder)
        self._ledger.add(
            "reminder", f"reminder {reminder.number} of {watched.reference} to {', '.join(names) or 'nobody'}"
        )


def _what(delivery: SentDelivery) -> str:
    """`pull_request.opened of acme/api#1`."""
    payload = json.loads(delivery.body)
    name = f"{delivery.event}.{delivery.action}" if delivery.action else delivery.event
    if "pull_request" not in payload:
        return name
    return f"{name} of {payload['repository']['full_name']}#{payload['pull_request']['number']}"
