"""Everything the demo plays with: stand-ins, the bot in a fresh home, the observer. Made together, removed together."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.demo.bot_process import BotProcess
from bot.demo.github_world import GitHubWorld
from bot.demo.ledger import Ledger
from bot.demo.observer import Observer
from bot.demo.ports import free_port
from bot.demo.slack_world import SlackWorld
from bot.demo.standins import (
    GITHUB_TOKEN,
    SLACK_BOT_TOKEN,
    SLACK_SIGNING_SECRET,
    WEBHOOK_SECRET,
    StandIns,
    hooks_to,
)
from bot.postgres_place import prepare
from bot.postmaster import Postmaster

INTERVAL = 10.0
ARCHIVE_DELAY = 1.0


@dataclass(frozen=True)
class Stage:
    """What the story acts on. `interval` is the bot's reminder interval in seconds."""

    github: GitHubWorld
    slack: SlackWorld
    bot: BotProcess
    stand_ins: StandIns
    ledger: Ledger
    interval: float = INTERVAL


@contextmanager
def set_up(ledger: Ledger) -> Iterator[Stage]:
    """Start the stand-ins and prepare the bot, which the story starts. Leaves no process and no file behind."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="vigil-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        port = free_port()
        stand_ins = stack.enter_context(StandIns.start(hooks=hooks_to(f"http://127.0.0.1:{port}/github/webhook")))
        home = folder / "home"
        stack.callback(_remove_database, home)
        bot = BotProcess("serve", _settings(stand_ins, port, home), folder / "bot")
        stack.callback(bot.stop)
        slack = SlackWorld(stand_ins.slack_url)
        observer = Observer(stand_ins, slack, ledger)
        observer.start()
        stack.callback(observer.stop)
        yield Stage(GitHubWorld(stand_ins.github_url), slack, bot, stand_ins, ledger)


def _settings(stand_ins: StandIns, port: int, home: Path) -> dict[str, str]:
    return {
        "VIGIL_DEMO": "1",
        "VIGIL_HOME": str(home),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "GITHUB_API_URL": stand_ins.github_url,
        "GITHUB_TOKEN": GITHUB_TOKEN,
        "GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "SLACK_API_URL": f"{stand_ins.slack_url}/api/",
        "SLACK_BOT_TOKEN": SLACK_BOT_TOKEN,
        "SLACK_SIGNING_SECRET": SLACK_SIGNING_SECRET,
        "VIGIL_REMINDER_INTERVAL": f"{INTERVAL:g}s",
        "VIGIL_ARCHIVE_DELAY": f"{ARCHIVE_DELAY:g}",
    }


def _remove_database(home: Path) -> None:
    """Stop the bot's PostgreSQL if a killed bot left it running, and remove its data, which root keeps elsewhere."""
    if not home.exists():
        return
    place = prepare(home)
    Postmaster(place, {}).stop(within=10)
    shutil.rmtree(place.base, ignore_errors=True)
