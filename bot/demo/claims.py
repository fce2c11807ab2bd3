"""What must hold in the demo, and how the stand-ins are asked whether it does. The bot is never asked."""

from collections.abc import Callable
from datetime import datetime

from bot.demo.github_world import PullRequest
from bot.demo.ledger import Reminder, Watched
from bot.demo.slack_world import Message
from bot.demo.stage import Stage
from bot.demo.waiting import eventually

# How far from its time a reminder may be seen, in seconds; the interval's jitter (at most 5 %) comes on top.
_EARLIEST, _LATEST, _JITTER = -0.5, 2.0, 0.05
_AFTER_A_FAILURE = 1.0


class Claims:
    """Checks claims about the world and writes down in the ledger whether they held."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def holds(
        self,
        claim: str,
        condition: Callable[[], bool],
        *,
        within: float = 8.0,
        seen: Callable[[], object] = lambda: "",
    ) -> bool:
        """Wait until the condition holds, and say whether it did. After a failure the others get less time."""
        ledger = self._stage.ledger
        patience = within if ledger.all_hold or not ledger.checks else _AFTER_A_FAILURE
        try:
            eventually(condition, within=patience, every=0.1, ignoring=(IndexError,))
        except AssertionError:
            ledger.checked(claim, holds=False, seen=str(seen()))
            return False
        ledger.checked(claim, holds=True)
        return True

    def deliveries_answered(self, count: int) -> None:
        """At least this many deliveries went out, and the bot took them all."""

        def answers() -> list[int]:
            return [delivery.status or 0 for delivery in self._stage.stand_ins.deliveries()]

        self.holds(
            "every delivery was answered 2xx",
            lambda: len(answers()) >= count and all(200 <= status < 300 for status in answers()),
            seen=lambda: f"answers {answers()}",
        )

    def channel_opened(self, pull_request: PullRequest, invited: set[str], *, private: bool) -> None:
        """One channel, the right people, summary, topic and bookmark."""
        watched = self._watched(pull_request)
        kind = "private" if private else "public"
        self.holds(
            f"{pull_request} has one {kind} channel, with {' and '.join(sorted(invited))} in it",
            lambda: self._channels(watched) == 1 and invited <= set(watched.members) and watched.private == private,
            seen=lambda: f"{self._channels(watched)} channels, members {watched.members}, private {watched.private}",
        )
        self.holds(
            f"the summary of {pull_request} is posted, the topic and a bookmark are set",
            lambda: bool(self.posts(watched)) and self._furnished(watched),
            seen=lambda: self.posts(watched),
        )

    def pings_nobody(self, pull_request: PullRequest, words: str) -> None:
        """These words from GitHub do not arrive in Slack as they are."""
        watched = self._watched(pull_request)
        self.holds(
            f"{words} in a title pings nobody",
            lambda: bool(self.posts(watched)) and not any(words in post.words for post in self.posts(watched)),
            seen=lambda: self.posts(watched),
        )

    def reminder(self, pull_request: PullRequest, number: int, *, of: str, not_of: str) -> Reminder | None:
        """The `number`-th reminder arrives, reminds one person and not the other; None if it does not come."""
        watched = self._watched(pull_request)
        came = self.holds(
            f"reminder {number} of {pull_request} arrives and asks {of}, not {not_of}",
            lambda: of in watched.reminders[number - 1].names and not_of not in watched.reminders[number - 1].names,
            within=self._stage.interval * (1 + _JITTER) + 4,
            seen=lambda: watched.reminders,
        )
        return watched.reminders[number - 1] if came else None

    def fired_on_time(self, claim: str, reminder: Reminder, due: float) -> None:
        """The reminder was seen at its due time (seconds since the epoch), and Slack dates it no earlier."""
        off = reminder.seen_at.timestamp() - due
        latest = _LATEST + _JITTER * self._stage.interval
        self.holds(
            f"{claim}: set for {clock(due)}, fired {off:+.1f} s from that",
            lambda: _EARLIEST <= off <= latest and int(float(reminder.ts)) >= int(due),
            seen=lambda: f"Slack dates it {clock(float(reminder.ts))}",
        )

    def one_reminder_stands(self, pull_request: PullRequest) -> None:
        """The reminder before the last was deleted."""
        watched = self._watched(pull_request)
        self.holds(
            f"the former reminder was deleted: one stands in #{watched.channel}",
            lambda: sum("reminder " in post.words for post in self.posts(watched)) == 1,
            seen=lambda: self.posts(watched),
        )

    def over(self, pull_request: PullRequest) -> None:
        """A closing message, then an archived channel."""
        watched = self._watched(pull_request)
        self.holds(
            f"{pull_request}: a closing message, then the channel is archived",
            lambda: watched.archived and "reminder " not in self.posts(watched)[-1].words,
            seen=lambda: f"archived {watched.archived}, posts {self.posts(watched)}",
        )

    def nothing_happened_twice(self) -> None:
        """No message and no channel, over the whole story."""
        everything = list(self._stage.ledger.watched.values())
        self.holds(
            "no message was posted twice and no channel was made twice",
            lambda: all(not watched.twice and self._channels(watched) == 1 for watched in everything),
            seen=lambda: [(watched.reference, watched.twice, self._channels(watched)) for watched in everything],
        )

    def posts(self, watched: Watched) -> list[Message]:
        """What the bot said in the channel and still stands there."""
        return self._stage.slack.posts(watched.channel_id) if watched.channel_id else []

    def _channels(self, watched: Watched) -> int:
        repository, number = watched.reference.split("#")
        return len(self._stage.slack.channels_of(repository, int(number)))

    def _furnished(self, watched: Watched) -> bool:
        channel = next(each for each in self._stage.slack.channels() if each.id == watched.channel_id)
        return bool(channel.topic and self._stage.slack.bookmarks(channel.id))

    def _watched(self, pull_request: PullRequest) -> Watched:
        return self._stage.ledger.watched[str(pull_request)]


def clock(timestamp: float) -> str:
    """Local time of day of a number of seconds since the epoch."""
    return datetime.fromtimestamp(timestamp).astimezone().strftime("%H:%M:%S")
