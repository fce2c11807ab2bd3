"""The board: every pull request that is watched."""

from bot.dashboard.pages import Asked, Pages, View
from durable.postgres import Database
from handlers.records import pull_requests


def add(pages: Pages, database: Database) -> None:
    """Add it."""

    def view(_: Asked) -> View:
        with database.reading() as connection:
            watches = pull_requests.list_open(connection)
        return View("board.html", {"watches": watches})

    pages.view("/", view)
