"""The page of workers, queues and gates."""

from bot.api.management import Management
from bot.dashboard.pages import Asked, Pages, View


def add(pages: Pages, management: Management) -> None:
    """Add it."""

    def view(_: Asked) -> View:
        client = management.client
        overview = client.overview()
        return View("workers.html", {"workers": client.workers(), "gates": client.gates(), "overview": overview})

    pages.view("/workers", view)
