"""The bot's policy: what `config/vigil.yml` may say, as frozen values. Reading the file is `config.policy_file`'s."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from config import policy_file

Drafts = Literal["wait", "open"]
Private = Literal["auto", "always", "never"]
Hours = Literal["always"]


class PolicyError(Exception):
    """The policy file cannot be used. Its text is one line per finding: file, line, key, what is allowed."""


@dataclass(frozen=True)
class Reminders:
    """When people are reminded: one interval after the opening, then one interval after the last."""

    every: timedelta = timedelta(hours=1)
    hours: Hours = "always"


@dataclass(frozen=True)
class Channels:
    """How channels come and go. `private`: `auto` makes private repositories' channels private."""

    drafts: Drafts = "wait"
    archive_after: timedelta = timedelta(seconds=5)
    private: Private = "auto"


@dataclass(frozen=True)
class Digest:
    """Where the flows that come with the bot post: a Slack channel by id or name; None: nowhere. A pull request is stale
    once nothing happened to it for `stale_after`."""

    channel: str | None = None
    stale_after: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class Policy:
    """What the bot watches, who is who, how often it speaks. `people` maps GitHub logins to Slack ids or e-mails."""

    repositories: tuple[str, ...] = ("*",)
    people: Mapping[str, str] = field(default_factory=dict)
    admins: tuple[str, ...] = ()
    reminders: Reminders = Reminders()
    channels: Channels = Channels()
    digest: Digest = Digest()

    def watches(self, repository: str) -> bool:
        """Whether `owner/name` matches one of the patterns; the case of letters does not matter, as at GitHub."""
        name = repository.lower()
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.repositories)

    def person(self, login: str) -> str | None:
        """The Slack user id or e-mail address noted for a GitHub login (any case), or None."""
        wanted = login.lower()
        return next((slack for github, slack in self.people.items() if github.lower() == wanted), None)

    def with_overrides(
        self,
        *,
        reminder_interval: timedelta | None = None,
        archive_delay: timedelta | None = None,
        working_hours: Hours | None = None,
    ) -> "Policy":
        """This policy with what the environment says instead; None leaves the file's word."""
        reminders = replace(
            self.reminders,
            every=self.reminders.every if reminder_interval is None else reminder_interval,
            hours=self.reminders.hours if working_hours is None else working_hours,
        )
        archive_after = self.channels.archive_after if archive_delay is None else archive_delay
        return replace(self, reminders=reminders, channels=replace(self.channels, archive_after=archive_after))


def load(path: Path) -> Policy:
    """The policy written in `path` (YAML, every key optional). Raises `PolicyError` with one line per finding."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise PolicyError(f"{path}: cannot be read ({problem}); VIGIL_CONFIG names the policy file") from problem
    reader = policy_file.Reader(str(path), text)
    policy = Policy(
        repositories=reader.patterns("repositories", Policy.repositories),
        people=reader.people("people"),
        admins=reader.slack_users("admins"),
        reminders=Reminders(
            every=reader.duration("reminders.every", Reminders.every, positive=True),
            hours=reader.working_hours("reminders.hours"),
        ),
        channels=Channels(
            drafts=reader.choice("channels.drafts", Channels.drafts, ("wait", "open")),
            archive_after=reader.duration("channels.archive_after", Channels.archive_after, positive=False),
            private=reader.choice("channels.private", Channels.private, ("auto", "always", "never")),
        ),
        digest=Digest(
            channel=reader.slack_channel("digest.channel"),
            stale_after=reader.duration("digest.stale_after", Digest.stale_after, positive=True),
        ),
    )
    if reader.findings:
        raise PolicyError("\n".join(reader.findings))
    return policy
