"""Signing in with an account of GitHub or Slack, over HTTP, from the button to the session.

GitHub is the stand-in: it has the pages and the exchange of OAuth, and checks no PKCE. The Slack stand-in has no OpenID
Connect, so Slack's three addresses for it are played by a scripted server that signs tokens with a key of its own; who is
who in the workspace is asked of the stand-in.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from bot.access import Access
from bot.accounts import Account, accounts_of
from bot.dashboard.account_sign_in import ATTEMPT
from bot.dashboard.app import Dashboard
from bot.dashboard.visitors import COOKIE
from bot.web import create_app
from config import settings
from config.policy import Policy
from handlers.records import acts
from handlers.sight import RecordedSight
from integrations.slack.client import SlackClient
from tests.conftest import StartBot
from tests.integration.api.conftest import ADMIN
from tests.integration.dashboard.conftest import House, services_of
from tests.support.scripted_server import Answer, Request, ScriptedServer
from tests.support.served import PLAIN, served
from tests.support.world import World

CLIENT_ID, CLIENT_SECRET = "1.2", "client-s3cret-of-slack"
TOKEN = "xoxp-token-of-ada"


@cache
def key_of(whom: str) -> RSAKey:
    """To sign with. It is made once, and not before a test needs it: each of pytest's processes reads this file."""
    del whom
    return RSAKey.generate_key(2048, parameters={"kid": "one", "alg": "RS256"}, auto_kid=False)


@dataclass
class OpenId:
    """Slack's part in a sign-in. `claims`, `told` and `key` are what a test makes of it."""

    user_id: str
    team_id: str
    key: RSAKey = field(default_factory=lambda: key_of("slack"))
    claims: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    token_answer: Answer | None = None
    nonce: str = ""
    site: str = ""
    used: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        path = urlsplit(request.path).path
        if path == "/openid/connect/keys":
            return Answer({"keys": [key_of("slack").as_dict(private=False)]})
        if path == "/api/openid.connect.token":
            return self.token_answer or self._token(parse_qs(request.body.decode()))
        assert path == "/api/openid.connect.userInfo"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        ids = {"https://slack.com/user_id": self.user_id, "https://slack.com/team_id": self.team_id}
        return Answer({"ok": True, "sub": self.user_id, "name": "Ada <b>Lovelace", **ids, **self.told})

    def _token(self, form: dict[str, list[str]]) -> Answer:
        if form["client_secret"] != [CLIENT_SECRET] or form["code"][0] in self.used:
            return Answer({"ok": False, "error": "invalid_code"})
        self.used.append(form["code"][0])
        lasting = {"iat": int(time.time()), "exp": int(time.time()) + 300}
        who = {"iss": self.site, "aud": CLIENT_ID, "sub": self.user_id, "nonce": self.nonce}
        id_token = jwt.encode({"alg": "RS256", "kid": "one"}, {**who, **lasting, **self.claims}, self.key)
        return Answer({"ok": True, "access_token": TOKEN, "token_type": "Bearer", "id_token": id_token})


@dataclass
class Door:
    """A browser before the dashboard, and who is asked who it is."""

    client: httpx.Client
    open_id: OpenId
    house: House

    def begin(self, name: str, back_to: str = "/workers") -> tuple[str, dict[str, str]]:
        """Press the button: where that leads, and with what."""
        answer = self.client.get(f"/sign-in/{name}", params={"back_to": back_to})
        assert answer.status_code == 303, answer.text
        address = urlsplit(answer.headers["location"])
        given = {key: values[0] for key, values in parse_qs(address.query).items()}
        self.open_id.nonce = given.get("nonce", "")
        return address.path, given

    def come_back(self, name: str, **query: str) -> httpx.Response:
        """As the browser does that was sent back."""
        return self.client.get(f"/sign-in/{name}/done", params=query)

    def by_slack(self, code: str = "code-1") -> httpx.Response:
        """The whole way."""
        _, given = self.begin("slack")
        return self.come_back("slack", code=code, state=given["state"])

    def by_github(self, world: World, login: str) -> httpx.Response:
        """The whole way, over the stand-in's own page."""
        _, given = self.begin("github")
        pressed = httpx.post(
            f"{world.stand_ins.github_url}/login/oauth/callback", data={"login": login, **given}, verify=PLAIN
        )
        back = urlsplit(pressed.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == "http://bot/sign-in/github/done"
        return self.come_back("github", **{key: values[0] for key, values in parse_qs(back.query).items()})

    def power(self) -> str:
        """Who the session is, by what its pages say."""
        page = self.client.get("/workers")
        assert page.status_code == 200
        return "admin" if "May change everything" in page.text else "viewer"


OpenDoor = Callable[..., Door]


@pytest.fixture
def open_door(house: House, world: World) -> Iterator[OpenDoor]:
    with ExitStack() as stack:

        def open_it(policy: Policy = Policy(), **changes: str) -> Door:  # noqa: B008 - frozen
            return stack.enter_context(door_of(house, world, policy, changes))

        yield open_it


@contextmanager
def door_of(house: House, world: World, policy: Policy, changes: dict[str, str]) -> Iterator[Door]:
    slack = SlackClient(world.settings("")["SLACK_BOT_TOKEN"], base_url=world.settings("")["SLACK_API_URL"])
    open_id = OpenId(world.slack.people()["ada"], slack.identity().team_id)
    with ScriptedServer(open_id) as server:
        open_id.site = server.url
        given = {
            **world.settings(""),
            "SLACK_API_URL": f"{server.url}/api/",
            "SLACK_CLIENT_ID": CLIENT_ID,
            "SLACK_CLIENT_SECRET": CLIENT_SECRET,
            "GITHUB_API_URL": world.stand_ins.github_url,
            "GITHUB_CLIENT_ID": "Iv1.1",
            "GITHUB_CLIENT_SECRET": "client-s3cret-of-github",
            "VIGIL_PUBLIC_URL": "http://bot",
        }
        loaded = settings.load({**given, **changes})
        sight = RecordedSight(house.database, slack, policy)
        accounts = accounts_of(loaded, policy, slack, sight.is_admin)
        with page_of(house, accounts) as client:
            yield Door(client, open_id, house)


@contextmanager
def page_of(house: House, accounts: Any) -> Iterator[httpx.Client]:
    services = services_of(house.database, house.management)
    dashboard: Dashboard = replace(services.dashboard, accounts=accounts)
    access = Access(ADMIN, public_url="http://bot")
    app = create_app(replace(services, dashboard=dashboard, access=access))
    with served(app) as url, httpx.Client(base_url=url, headers={"Host": "bot"}, timeout=30, verify=PLAIN) as client:
        yield client


def test_the_page_offers_what_the_settings_allow(open_door: OpenDoor) -> None:
    page = open_door().client.get("/sign-in?back_to=/workers").text
    assert 'href="/sign-in/slack?back_to=/workers"' in page
    assert 'href="/sign-in/github?back_to=/workers"' in page
    without = {"GITHUB_CLIENT_ID": "", "GITHUB_CLIENT_SECRET": "", "SLACK_CLIENT_ID": "", "SLACK_CLIENT_SECRET": ""}
    door = open_door(**without)
    assert "/sign-in/slack" not in door.client.get("/sign-in").text
    assert door.client.get("/sign-in/slack").status_code == 404
    assert door.client.get("/sign-in/slack/done").status_code == 404


def test_the_way_to_slack_says_no_more_than_it_has_to(open_door: OpenDoor) -> None:
    path, given = open_door().begin("slack")
    assert path == "/openid/connect/authorize"
    assert (given["client_id"], given["scope"], given["response_type"]) == (CLIENT_ID, "openid profile", "code")
    assert given["redirect_uri"] == "http://bot/sign-in/slack/done"
    assert given["state"] != given["nonce"]


def test_the_way_to_github_asks_for_no_scope_and_brings_pkce(open_door: OpenDoor) -> None:
    path, given = open_door().begin("github")
    assert path == "/login/oauth/authorize"
    assert "scope" not in given
    assert given["code_challenge_method"] == "S256"
    assert len(given["code_challenge"]) == 43


def test_a_member_of_the_slack_workspace_may_look(open_door: OpenDoor) -> None:
    door = open_door()
    answer = door.by_slack()
    assert (answer.status_code, answer.headers["location"]) == (303, "/workers")
    assert door.power() == "viewer"
    assert ATTEMPT not in door.client.cookies
    page = door.client.get("/workers").text
    assert "Ada &lt;b&gt;Lovelace" in page
    with door.house.database.reading() as connection:
        [act] = acts.latest(connection)
    assert (act.act, act.detail, door.open_id.user_id in act.actor) == ("sign in", "slack", True)


def test_whoever_may_use_the_admin_commands_is_an_admin_here(open_door: OpenDoor, world: World) -> None:
    door = open_door(Policy(admins=(world.slack.people()["ada"],)))
    door.by_slack()
    assert door.power() == "admin"


def test_without_a_list_slacks_admins_are_admins(open_door: OpenDoor) -> None:
    door = open_door()
    door.open_id.user_id = "U000000001"  # the stand-in's administrator
    door.by_slack()
    assert door.power() == "admin"


def test_members_of_other_workspaces_are_told_which_one_it_has_to_be(open_door: OpenDoor) -> None:
    door = open_door()
    door.open_id.team_id = "T0ANOTHER0"
    answer = door.by_slack()
    assert answer.status_code == 403
    assert "another Slack workspace" in answer.text
    assert "Acme" in answer.text
    assert COOKIE not in door.client.cookies


def test_bots_of_the_workspace_are_no_members(open_door: OpenDoor) -> None:
    door = open_door()
    door.open_id.user_id = "U0VIGIL000"
    assert door.by_slack().status_code == 403


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "another"}, {"aud": "another"}, {"iss": "https://slack.com.evil.example"}, {"exp": 1}, {"sub": "U0"}],
    ids=lambda claims: next(iter(claims)),
)
def test_a_token_that_is_not_for_this_sign_in_opens_nothing(open_door: OpenDoor, claims: dict[str, Any]) -> None:
    door = open_door()
    door.open_id.claims = claims
    assert door.by_slack().status_code == 503
    assert COOKIE not in door.client.cookies


def test_a_token_that_somebody_else_has_signed_opens_nothing(open_door: OpenDoor) -> None:
    door = open_door()
    door.open_id.key = key_of("somebody else")
    assert door.by_slack().status_code == 503


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html>", 200),
        Answer({}, 500),
        Answer({"ok": True}, 200),
        Answer([], 200),
        Answer(None, 302, {"Location": "http://127.0.0.1:1/"}),
    ],
    ids=["html", "500", "nothing in it", "list", "redirect"],
)
def test_when_slack_gives_no_usable_answer_the_page_says_so(open_door: OpenDoor, answer: Answer) -> None:
    door = open_door()
    door.open_id.token_answer = answer
    page = door.by_slack()
    assert page.status_code == 503
    assert "Slack gives no usable answer" in page.text


def test_a_code_counts_once(open_door: OpenDoor) -> None:
    door = open_door()
    assert door.by_slack("code-7").status_code == 303
    again = door.by_slack("code-7")
    assert again.status_code == 400
    assert "Slack does not accept this sign-in any more" in again.text


def test_an_answer_to_another_browsers_sign_in_is_refused(open_door: OpenDoor) -> None:
    door = open_door()
    _, given = door.begin("slack")
    for state in ("", "guess", given["nonce"], "ä"):
        assert door.come_back("slack", code="code-1", state=state).status_code == 400
        _, given = door.begin("slack")
    del door.client.cookies[ATTEMPT]
    assert door.come_back("slack", code="code-1", state=given["state"]).status_code == 400
    _, given = door.begin("slack")
    assert door.come_back("github", code="code-1", state=given["state"]).status_code == 400
    assert door.open_id.used == []


def test_whoever_says_no_at_slack_is_back_where_they_were(open_door: OpenDoor) -> None:
    door = open_door()
    _, given = door.begin("slack")
    page = door.come_back("slack", error="access_denied", error_description="<script>", state=given["state"])
    assert page.status_code == 403
    assert "was not allowed to tell who you are" in page.text
    assert "<script>" not in page.text


def test_nothing_of_a_sign_in_stands_in_the_log_or_on_a_page(
    open_door: OpenDoor, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    door = open_door()
    seen = [door.by_slack("code-secret-1").text, door.by_slack("code-secret-1").text]
    door.open_id.token_answer = Answer({"ok": True, "access_token": TOKEN, "id_token": "no.such.token"})
    seen.append(door.by_slack("code-secret-2").text)
    printed = capsys.readouterr()
    for secret in ("code-secret", TOKEN, CLIENT_SECRET):
        assert secret not in "".join(seen) + caplog.text + printed.out + printed.err


def test_who_fails_too_often_is_not_sent_to_slack_any_more(open_door: OpenDoor) -> None:
    door = open_door()
    door.open_id.team_id = "T0ANOTHER0"
    answers = [door.by_slack(f"code-{number}").status_code for number in range(7)]
    assert answers == [403] * 5 + [429] * 2
    assert len(door.open_id.used) == 5


def test_a_person_of_the_policy_may_look_by_github(open_door: OpenDoor, world: World) -> None:
    door = open_door(Policy(people={"Ada": "ada@example.com"}))
    answer = door.by_github(world, "ada")
    assert (answer.status_code, answer.headers["location"]) == (303, "/workers")
    assert door.power() == "viewer"


def test_a_person_whose_slack_account_the_policy_lists_is_an_admin_by_github(open_door: OpenDoor, world: World) -> None:
    people = world.slack.people()
    policy = Policy(
        people={"ada": "ada@example.com", "grace": people["grace"]}, admins=(people["ada"], people["grace"])
    )
    for login in ("ada", "grace"):
        door = open_door(policy)
        door.by_github(world, login)
        assert door.power() == "admin"


def test_whom_the_policy_does_not_know_is_told_what_to_do(open_door: OpenDoor, world: World) -> None:
    door = open_door(Policy(people={"ada": "ada@example.com"}))
    answer = door.by_github(world, "stranger")
    assert answer.status_code == 403
    assert "Nobody called stranger is known here" in answer.text
    assert COOKIE not in door.client.cookies


def test_a_code_that_github_does_not_know_is_refused(open_door: OpenDoor) -> None:
    door = open_door(Policy(people={"ada": "ada@example.com"}))
    _, given = door.begin("github")
    answer = door.come_back("github", code="made-up", state=given["state"])
    assert answer.status_code == 400
    assert "GitHub does not accept this sign-in any more" in answer.text


def test_a_github_that_is_away_is_no_error_of_ours(open_door: OpenDoor) -> None:
    door = open_door(GITHUB_API_URL="http://127.0.0.1:1")
    _, given = door.begin("github")
    assert door.come_back("github", code="x", state=given["state"]).status_code == 503


@pytest.mark.parametrize("changed", ["secret", "people", "admins", "nothing"])
def test_a_session_dies_with_what_it_was_given_for(house: House, open_door: OpenDoor, changed: str) -> None:
    door = open_door(Policy(people={"ada": "ada@example.com"}))
    door.by_slack()
    policy = Policy(
        people={"ada": "ada@example.com"} if changed != "people" else {"grace": "grace@example.com"},
        admins=("U1",) if changed == "admins" else (),
    )
    changes = {"SLACK_CLIENT_SECRET": "another-s3cret"} if changed == "secret" else {}
    after = open_door(policy, **changes)
    after.client.cookies.set(COOKIE, door.client.cookies[COOKIE])
    assert after.client.get("/workers").status_code == (200 if changed == "nothing" else 401)


def test_a_session_dies_when_its_kind_of_account_is_no_longer_offered(open_door: OpenDoor) -> None:
    door = open_door()
    door.by_slack()
    nobodys: dict[str, Account] = {}
    with page_of(door.house, nobodys) as client:
        client.cookies.set(COOKIE, door.client.cookies[COOKIE])
        assert client.get("/workers").status_code == 401


def test_the_bot_as_it_is_run_lets_people_in_and_keeps_its_secrets(
    start_bot: StartBot, world: World, tmp_path: Path
) -> None:
    (tmp_path / "policy.yml").write_text("people: {ada: ada@example.com}\n")
    bot = start_bot(
        VIGIL_CONFIG=str(tmp_path / "policy.yml"),
        VIGIL_PUBLIC_URL=f"http://127.0.0.1:{world.port}",
        GITHUB_CLIENT_ID="Iv1.1",
        GITHUB_CLIENT_SECRET="client-s3cret-of-github",
        VIGIL_API_TOKEN=ADMIN,
    )
    with httpx.Client(base_url=bot.url, timeout=30, verify=PLAIN) as client:
        left = client.get("/sign-in/github", params={"back_to": "/workers"})
        site, _, query = left.headers["location"].partition("/login/oauth/authorize?")
        given = {key: values[0] for key, values in parse_qs(query).items()}
        pressed = httpx.post(f"{site}/login/oauth/callback", data={"login": "ada", **given}, verify=PLAIN)
        arrived = client.get(pressed.headers["location"])
        assert (arrived.status_code, arrived.headers["location"]) == (303, "/workers")
        assert client.get("/workers").status_code == 200
        again = client.get(pressed.headers["location"])
        assert again.status_code == 400
    code = parse_qs(urlsplit(pressed.headers["location"]).query)["code"][0]
    assert not [secret for secret in (code, "client-s3cret-of-github", ADMIN, "gho_") if secret in bot.log_text]
