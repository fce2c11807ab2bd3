"""What somebody sees and does who keeps the dashboard open."""

import pytest
from playwright.sync_api import expect

from bot.demo.waiting import eventually
from tests.acceptance.dashboard.conftest import TOKEN, House, Visiting
from tests.support.browser import sign_in

pytestmark = pytest.mark.browser


def test_a_pull_request_that_is_opened_appears_on_the_open_page(house: House, visiting: Visiting) -> None:
    with visiting() as page:
        sign_in(page, TOKEN)
        expect(page.locator("#live")).to_have_text("live")
        house.world.github.open_pull_request("Add retries", reviewers=["ada"])
        expect(page.get_by_role("row", name="Add retries")).to_contain_text("ada")


def test_remind_now_posts_a_reminder_in_the_channel(house: House, visiting: Visiting) -> None:
    pull_request = house.world.github.open_pull_request("Add retries", reviewers=["ada"])
    channel = house.world.channel_of("acme/api", pull_request.number)
    with visiting() as page:
        sign_in(page, TOKEN)
        page.get_by_role("link", name=f"acme/api#{pull_request.number}").click()
        page.get_by_role("button", name="Remind now").click()
        expect(page.get_by_role("status").filter(has_text="emind")).to_be_visible()
    eventually(lambda: [message for message in house.world.slack.posts(channel.id) if "reminder 1" in message.words])


def test_a_failed_flow_is_rewound_with_one_button(house: House, visiting: Visiting) -> None:
    flow = house.run_flow("example", "ERROR")
    assert house.ends(flow) == "error"
    with visiting() as page:
        sign_in(page, TOKEN)
        page.goto("/workflows?state=failed")
        page.get_by_role("link", name=flow).click()
        expect(page.get_by_text("ZeroDivisionError").first).to_be_visible()
        page.get_by_text("Rewind…").click()
        page.locator("details.verb[open]").get_by_label("Reason").fill("zero was zero")
        page.get_by_role("button", name="Rewind", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Yes").click()
        expect(page.get_by_role("status").filter(has_text="goes on")).to_be_visible()
    acts = house.admin.get("/audit").text
    assert "rewind" in acts
    assert flow in acts


def test_without_a_mouse_one_signs_in_and_reaches_everything(house: House, visiting: Visiting) -> None:
    pull_request = house.world.github.open_pull_request("Add retries", reviewers=["ada"])
    house.world.channel_of("acme/api", pull_request.number)
    with visiting() as page:
        page.goto("/")
        page.keyboard.type(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Pull requests")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent").strip() == f"acme/api#{pull_request.number}":
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Add retries")
        page.get_by_role("button", name="Remind now").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text="emind")).to_be_visible()


def test_without_scripts_everything_can_be_read_and_the_page_says_what_needs_them(
    house: House, visiting: Visiting
) -> None:
    house.world.github.open_pull_request("Add retries", reviewers=["ada"])
    with visiting(scripts=False) as page:
        sign_in(page, TOKEN)
        expect(page.get_by_text("Without JavaScript")).to_be_visible()

        def listed() -> bool:
            page.reload()
            return page.get_by_role("row", name="Add retries").is_visible()

        eventually(listed)


def test_who_signs_out_is_out(house: House, visiting: Visiting) -> None:
    with visiting() as page:
        sign_in(page, TOKEN)
        page.locator("details.menu summary").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        page.goto("/workflows")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
