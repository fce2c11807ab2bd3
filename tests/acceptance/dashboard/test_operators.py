"""What operators do in the browser: begin a definition, limit a queue, and see that what they typed stays."""

from tests.acceptance.dashboard.conftest import TOKEN, House, Visiting
from tests.support.browser import sign_in


def test_what_is_typed_on_a_live_page_stays_until_it_is_sent(house: House, visiting: Visiting) -> None:
    with visiting() as page:
        sign_in(page, TOKEN)
        page.goto("/workers")
        page.locator("#live[data-is=live]").wait_for()
        page.get_by_text("Limit another queue").click()
        form = page.locator("form[action='/queues/limit']")
        form.get_by_label("queue").fill("slack")
        form.get_by_label("at one time").fill("3")
        before = page.locator("td[data-name=lease]").first.inner_text()
        page.wait_for_function(
            "(before) => document.querySelector('td[data-name=lease]').innerText !== before", arg=before
        )
        assert form.get_by_label("queue").input_value() == "slack"
        form.get_by_label("a second").press("Enter")
        page.get_by_text("The queue slack is limited").wait_for()
        page.get_by_text("3 at one time").wait_for()


def test_a_definition_is_begun_by_the_keyboard_alone_and_leads_to_its_run(house: House, visiting: Visiting) -> None:
    with visiting() as page:
        sign_in(page, TOKEN)
        page.goto("/definitions")
        page.get_by_role("link", name="Run schemas.SIMPLE_SCHEMA").press("Enter")
        page.get_by_label("name").press("Enter")
        page.get_by_text("is required").wait_for()
        page.get_by_label("name").fill("Ada")
        page.get_by_label("name").press("Enter")
        page.get_by_text("is started").wait_for()
        run = page.url.rpartition("/")[2]
        assert house.ends(run) == "success"
