"""What somebody sees who keeps the dashboard open."""

import pytest
from playwright.sync_api import expect

from tests.acceptance.dashboard.conftest import TOKEN, Visiting
from tests.support.browser import sign_in
from tests.support.world import World

pytestmark = pytest.mark.browser


def test_a_pull_request_that_is_opened_appears_on_the_open_page(world: World, visiting: Visiting) -> None:
    with visiting() as page:
        sign_in(page, TOKEN)
        expect(page.get_by_role("status", name="live")).to_be_visible()
        world.github.open_pull_request("Add retries", reviewers=["ada"])
        expect(page.get_by_text("Add retries")).to_be_visible()
