"""Every page as people see it: by axe's rules, and as pictures to look at."""

import pytest
from playwright.sync_api import Page

from bot.demo.waiting import eventually
from tests.acceptance.dashboard.conftest import TOKEN, House, Visiting
from tests.support.browser import keep_picture, serious_findings, sign_in
from tests.support.chaos import sized

pytestmark = pytest.mark.browser
LOOKS = [(1440, "light"), (390, "dark"), (1440, "dark"), (390, "light")]


def furnish(house: House) -> dict[str, str]:
    """The demo's story so far; returns the paths of the pages worth looking at, by name."""
    github = house.world.github
    retries = github.open_pull_request("Add retries with jitter to the payment client", reviewers=["ada"])
    changes = github.open_pull_request(
        "Rework the navigation for small screens", author="grace", reviewers=["margaret"]
    )
    github.open_pull_request("Wait until ready for review", draft=True)
    github.open_pull_request("Rotate the signing keys", repository="acme/vault", reviewers=["margaret", "ada"])
    channel = house.world.channel_of("acme/api", retries.number)
    changes.review("margaret", "REQUEST_CHANGES")
    eventually(lambda: house.world.slack.posts(channel.id))
    failed = house.run_flow("example", "ERROR")
    grouped = house.run_flow("example", "SIMPLE_GROUP")
    assert [house.ends(flow) for flow in (failed, grouped)] == ["error", "success"]
    assert house.admin.post(f"{house.page_of(retries)}/remind", headers={"Sec-Fetch-Site": "same-origin"}).is_redirect
    eventually(lambda: [each for each in house.world.slack.posts(channel.id) if "reminder 1" in each.words])
    watch = f"pr:{retries.url.split('/')[2].split(':')[0]}:acme:api:{retries.number}"
    return {
        "board": "/",
        "pull-request": house.page_of(retries),
        "workflows": "/workflows",
        "watch": f"/workflows/{watch}",
        "flow": f"/workflows/{grouped}",
        "failed-flow": f"/workflows/{failed}",
        "definitions": "/definitions",
        "run": "/definitions/example.SIMPLE_GROUP/run",
        "schedules": "/schedules",
        "workers": "/workers",
        "insights": "/insights",
        "audit": "/audit",
    }


def look(page: Page, name: str, path: str, width: int, scheme: str) -> list[str]:
    """Take a picture; returns what is wrong with the page."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200, path
    keep_picture(page, f"{name}-{width}-{scheme}")
    too_wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return serious_findings(page) + ([f"{path} is wider than {width} pixels"] if too_wide else [])


def test_no_page_hinders_anybody_and_each_has_its_picture(house: House, visiting: Visiting) -> None:
    paths = furnish(house)
    findings = []
    for width, scheme in LOOKS[: sized(2, 4)]:
        with visiting(width=width, scheme=scheme) as page:
            page.goto("/sign-in")
            keep_picture(page, f"sign-in-{width}-{scheme}")
            findings += serious_findings(page)
            sign_in(page, TOKEN)
            for name, path in paths.items():
                findings += look(page, name, path, width, scheme)
    assert findings == []
