"""The board: every pull request that is watched, what stands still first."""

from bot.dashboard import board_rows, board_words
from bot.dashboard.board_rows import Choice, chosen, counted, row_of
from bot.dashboard.pages import Asked, Pages, View
from durable.client import Client
from durable.postgres import Database
from handlers.records import pull_requests

MOST_READ = 5_000
MOST_SHOWN = 1_000
_LONGEST = 200


def add(pages: Pages, database: Database, client: Client) -> None:
    """Add it."""

    def view(asked: Asked) -> View:
        with database.reading() as connection:
            watched = pull_requests.list_open(connection, MOST_READ)
            is_first_run = not watched and not pull_requests.is_any(connection)
        described = client.describe_all([known.workflow_id for known in watched])
        rows = [row_of(known, described.get(known.workflow_id)) for known in watched]
        rows = [row for row in rows if row.standing != "ended"]
        choice = _choice(asked)
        found = chosen(rows, choice)
        return View(
            "board.html",
            {
                "rows": found[:MOST_SHOWN],
                "found": len(found),
                "figures": counted(rows),
                "choice": choice,
                "repositories": sorted({row.repository for row in rows} | ({choice.repository} - {""}), key=str.lower),
                "standings": board_words.STANDINGS,
                "orders": board_rows.ORDERS,
                "is_first_run": is_first_run,
            },
        )

    pages.view("/", view)


def _choice(asked: Asked) -> Choice:
    """What the query asks for."""

    def given(name: str) -> str:
        return asked.query.get(name, "").strip()[:_LONGEST]

    return Choice(given("q"), given("repository"), given("stands"), given("order") or "urgent")
