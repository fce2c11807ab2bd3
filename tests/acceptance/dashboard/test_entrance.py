"""What stands before the pages, in a real browser: the reference for everybody, and the door."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.acceptance.dashboard.conftest import TOKEN, Visiting
from tests.support.browser import sign_in

pytestmark = pytest.mark.browser


def test_the_reference_is_drawn_from_our_own_files_under_our_own_policy(visiting: Visiting) -> None:
    with visiting() as page:  # which fails for what the policy refuses, and for what comes from elsewhere
        page.goto("/docs")
        terminate = page.get_by_text("End an instance at once")
        expect(terminate).to_be_visible()
        terminate.click()
        expect(page.get_by_text("is shown with it").first).to_be_visible()


def test_whoever_is_signed_out_elsewhere_is_asked_to_sign_in_and_comes_back(visiting: Visiting) -> None:
    with visiting() as page, visiting() as other:
        sign_in(page, TOKEN)
        page.goto("/workers?seen=all")
        expect(page.locator("#live")).to_have_attribute("data-is", "live")
        other.context.add_cookies(page.context.cookies())  # type: ignore[arg-type] # what it gives it also takes
        other.goto("/")
        other.locator("details.menu summary").click()
        other.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Workers")
        assert urlsplit(page.url).query == "seen=all"
