"""Signing in by a token: how long a session lasts, what ends it, and what nobody gets by guessing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from bot.access import Access
from bot.dashboard.sign_in import place_of_ours
from bot.dashboard.visitors import COOKIE
from bot.web import create_app
from handlers.records import acts
from tests.integration.api.conftest import ADMIN, VIEWER
from tests.integration.dashboard.conftest import House, services_of
from tests.support.served import PLAIN, served


@pytest.fixture
def house(new_house: House) -> House:
    return new_house


def browser_of(url: str, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers=headers, timeout=30, verify=PLAIN)


def sign_in(client: httpx.Client, token: str, **fields: str) -> httpx.Response:
    return client.post("/sign-in", data={"token": token, **fields})


@contextmanager
def signed_in(house: House, token: str = ADMIN) -> Iterator[httpx.Client]:
    with browser_of(house.url) as client:
        assert sign_in(client, token).status_code == 303
        yield client


@contextmanager
def another_process(house: House, access: Access) -> Iterator[str]:
    """A second web process on the same database, or the first one after a restart."""
    services = replace(services_of(house.database, house.management), access=access)
    with served(create_app(services)) as url:
        yield url


def csrf_of(page: str) -> str:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            if tag == "input" and given.get("name") == "csrf":
                found.append(given["value"] or "")

    Reader().feed(page)
    return found[0]


def age_all_sessions(house: House, by: str) -> None:
    with house.database.transaction("test") as connection:
        aged = text("UPDATE vigil.sessions SET expires_at = expires_at - CAST(:by AS interval)")
        connection.execute(aged, {"by": by})


def test_a_session_lasts_twelve_hours_by_the_databases_clock(house: House) -> None:
    with signed_in(house) as client:
        age_all_sessions(house, "11 hours 59 minutes")
        assert client.get("/").status_code == 200
        age_all_sessions(house, "1 minute")
        assert client.get("/").status_code == 401


def test_signing_out_ends_the_session_everywhere(house: House) -> None:
    with signed_in(house) as client, browser_of(house.url) as copy:
        copy.cookies.set(COOKIE, client.cookies[COOKIE])
        page = copy.get("/").text
        assert client.post("/sign-out", data={"csrf": csrf_of(page)}).status_code == 303
        assert COOKIE not in client.cookies
        assert copy.get("/").status_code == 401


def test_a_session_holds_after_a_restart_and_in_a_second_process(house: House) -> None:
    with (
        signed_in(house, VIEWER) as client,
        another_process(house, Access(ADMIN, viewer_token=VIEWER)) as url,
        browser_of(url) as other,
    ):
        other.cookies.set(COOKIE, client.cookies[COOKIE])
        assert other.get("/").status_code == 200


@pytest.mark.parametrize(
    ("token", "access", "status"),
    [
        (ADMIN, Access("another-token", viewer_token=VIEWER), 401),
        (ADMIN, Access(VIEWER, viewer_token=ADMIN), 401),
        (ADMIN, Access(None, viewer_token=VIEWER), 401),
        (VIEWER, Access(ADMIN), 401),
        (VIEWER, Access("another-token", viewer_token=VIEWER), 200),
    ],
)
def test_a_session_dies_with_the_token_it_came_from(house: House, token: str, access: Access, status: int) -> None:
    with signed_in(house, token) as client, another_process(house, access) as url, browser_of(url) as other:
        other.cookies.set(COOKIE, client.cookies[COOKIE])
        assert other.get("/").status_code == status


def test_the_table_of_sessions_lets_nobody_in_and_tells_no_token(house: House) -> None:
    with signed_in(house) as client, browser_of(house.url) as thief:
        with house.database.reading() as connection:
            rows = [str(row) for row in connection.execute(text("SELECT * FROM vigil.sessions"))]
            stolen = connection.execute(text("SELECT secret_hash FROM vigil.sessions")).scalar_one()
        assert client.cookies[COOKIE] not in rows[0]
        assert ADMIN not in rows[0]
        thief.cookies.set(COOKIE, stolen)
        assert thief.get("/").status_code == 401


def test_nobody_can_choose_the_secret_of_a_session(house: House) -> None:
    with browser_of(house.url) as victim:
        victim.cookies.set(COOKIE, "chosen-by-somebody-else")
        answer = sign_in(victim, ADMIN)
        given = answer.cookies[COOKIE]
        assert given != "chosen-by-somebody-else"
        again = sign_in(victim, ADMIN).cookies[COOKIE]
        assert again != given


def test_whoever_signs_in_again_leaves_no_old_session_behind(house: House) -> None:
    with signed_in(house) as client:
        former = client.cookies[COOKIE]
        sign_in(client, ADMIN)
        with browser_of(house.url) as other:
            other.cookies.set(COOKIE, former)
            assert other.get("/").status_code == 401


@pytest.mark.parametrize(
    ("headers", "public", "secure"),
    [
        ({}, None, False),
        ({"X-Forwarded-Proto": "https"}, None, True),
        ({"Host": "bot.acme.com"}, "https://bot.acme.com", True),
    ],
)
def test_the_cookie_is_for_us_alone(house: House, headers: dict[str, str], public: str | None, secure: bool) -> None:
    with another_process(house, Access(ADMIN, public_url=public)) as url, browser_of(url, **headers) as client:
        said = sign_in(client, ADMIN).headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said
    assert "path=/" in said
    assert "domain" not in said
    assert "max-age=43200" in said
    assert ("secure" in said) is secure


def test_guessing_is_answered_five_times_and_then_not_even_a_right_token_helps(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with browser_of(house.url) as client:
        assert [sign_in(client, f"guess-{number}").status_code for number in range(5)] == [401] * 5
        refused = sign_in(client, ADMIN)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert "Too many wrong tokens" in refused.text
        assert client.get("/", headers={"Authorization": f"Bearer {ADMIN}"}).status_code == 429
    assert "guess-" not in caplog.text


def test_guesses_in_the_header_count_as_well(house: House) -> None:
    with browser_of(house.url, Authorization="Bearer guess") as client:
        assert [client.get("/").status_code for _ in range(6)] == [401] * 5 + [429]


def test_who_is_signed_in_is_not_shut_out_by_somebody_who_guesses_behind_the_same_address(house: House) -> None:
    with signed_in(house) as client, browser_of(house.url) as guessing:
        for _ in range(6):
            sign_in(guessing, "guess")
        assert client.get("/").status_code == 200


def test_behind_a_proxy_each_client_is_counted_for_itself(house: House) -> None:
    with another_process(house, Access(ADMIN, public_url="https://bot.acme.com")) as url, browser_of(url) as proxy:
        for _ in range(6):
            proxy.post("/sign-in", data={"token": "guess"}, headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.7"})

        def sign_in_from(client: str) -> int:
            return proxy.post("/sign-in", data={"token": ADMIN}, headers={"X-Forwarded-For": client}).status_code

        assert sign_in_from("198.51.100.8") == 303
        assert sign_in_from("1.2.3.4, 198.51.100.7") == 429


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "", "http://bot:8000@evil.example"])
def test_another_sites_form_signs_nobody_in(house: House, origin: str) -> None:
    assert house.anonymous.post("/sign-in", data={"token": ADMIN}, headers={"Origin": origin}).status_code == 403


def test_an_act_without_the_sessions_value_is_not_done(house: House) -> None:
    with signed_in(house) as client:
        assert client.post("/sign-out", data={"csrf": "guess"}).status_code == 403
        assert client.get("/").status_code == 200


def test_signing_in_and_out_stands_in_the_audit(house: House) -> None:
    with signed_in(house, VIEWER) as client:
        client.post("/sign-out", data={"csrf": csrf_of(client.get("/").text)})
    with house.database.reading() as connection:
        out, into = acts.latest(connection)
    assert (into.actor, into.act, into.subject, into.detail) == ("viewer", "sign in", "viewer", "token")
    assert (out.actor, out.act, out.subject, out.outcome) == ("viewer", "sign out", "viewer", "done")


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"token=" + b"x" * 300_000, 413),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"&".join(b"a=1" for _ in range(100)), 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"token=%ff", 400),
    ],
)
def test_a_form_that_is_none_is_not_read(house: House, headers: dict[str, str], content: bytes, status: int) -> None:
    assert house.anonymous.post("/sign-in", content=content, headers=headers).status_code == status


def test_after_signing_in_one_is_where_one_wanted_to_be(house: House) -> None:
    with browser_of(house.url) as client:
        asked = client.get("/workers?page=2&x=<b>")
        assert 'name="back_to" value="/workers?page=2&amp;x=' in asked.text
        assert sign_in(client, ADMIN, back_to="/workers?page=2").headers["location"] == "/workers?page=2"


@given(st.text(st.sampled_from("/\\:@.?#%ahtps\n\r\t \x00é"), max_size=20) | st.text(max_size=30))
def test_nobody_is_sent_to_another_site(address: str) -> None:
    for tried in (address, f"/{address}", f"//{address}", f"https:{address}", f"/\\{address}"):
        location = place_of_ours(tried)
        ours = httpx.URL("https://bot.acme.com/sign-in")
        assert ours.join(location).host == "bot.acme.com"
        assert location.startswith("/")
        assert not location.startswith("//")
        assert "\\" not in location
        assert location.isprintable()
