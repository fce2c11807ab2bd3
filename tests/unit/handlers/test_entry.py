"""Who is let in by an account, and as what: Slack is asked over HTTP, of a server that says what the test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from config.policy import Policy
from handlers.commands import AdminUnknown
from handlers.entry import Admitted, Doorkeeper, NotLetIn
from integrations.github.api import Account as GitHubAccount
from integrations.slack.api import Account as SlackAccount
from integrations.slack.client import SlackClient
from tests.support.scripted_server import Answer, Request, ScriptedServer

ADA = SlackAccount("U1", "T1", "Ada")


@contextmanager
def doorkeeper(policy: Policy | None = None, *, admin: bool | None = False, mark: str = "none") -> Iterator[Doorkeeper]:
    """`mark` is what Slack says of everybody; `admin` whether they are one, None when Slack does not say."""

    def slack(request: Request) -> Answer:
        told: dict[str, dict[str, Any]] = {
            "auth.test": {"user_id": "U0", "team_id": "T1", "team": "Acme"},
            "users.info": {"user": {"id": "U1", mark: True}},
            "users.lookupByEmail": {"user": {"id": "U1"}},
        }
        return Answer({"ok": True, **told[request.path.rpartition("/")[2].partition("?")[0]]})

    def is_admin(_: str) -> bool:
        if admin is None:
            raise AdminUnknown("away")
        return admin

    with ScriptedServer(slack) as server:
        yield Doorkeeper(SlackClient("xoxb-1", base_url=f"{server.url}/api/"), policy or Policy(), is_admin)


@pytest.mark.parametrize("admin", [True, False])
def test_a_member_of_the_workspace_is_let_in(admin: bool) -> None:
    with doorkeeper(admin=admin) as door:
        assert door.by_slack(ADA) == Admitted("Ada (U1 at Slack)", admin)


@pytest.mark.parametrize("mark", ["is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted"])
def test_guests_strangers_bots_and_those_who_left_are_not(mark: str) -> None:
    with doorkeeper(mark=mark, admin=True) as door, pytest.raises(NotLetIn, match="Guests of the Slack workspace"):
        door.by_slack(ADA)


def test_members_of_another_workspace_are_not() -> None:
    with doorkeeper() as door, pytest.raises(NotLetIn, match="one of Acme"):
        door.by_slack(SlackAccount("U1", "T2", "Ada"))


def test_while_slack_does_not_say_who_is_an_admin_nobody_is_let_in_as_less() -> None:
    with doorkeeper(admin=None) as door, pytest.raises(NotLetIn, match="Try again"):
        door.by_slack(ADA)


@pytest.mark.parametrize(
    ("people", "admins", "is_admin"),
    [
        ({"ada": "ada@example.com"}, (), False),
        ({"ada": "ada@example.com"}, ("U1",), True),
        ({"ADA": "U1"}, ("U1",), True),
        ({"ada": "U2"}, ("U1",), False),
    ],
)
def test_a_person_of_the_policy_is_an_admin_by_its_list_alone(
    people: dict[str, str], admins: tuple[str, ...], is_admin: bool
) -> None:
    with doorkeeper(Policy(people=people, admins=admins), admin=True) as door:
        assert door.by_github(GitHubAccount("Ada")) == Admitted("Ada at GitHub", is_admin)


def test_whom_the_policy_does_not_know_is_not_let_in() -> None:
    with doorkeeper(Policy(people={"ada": "U1"})) as door, pytest.raises(NotLetIn, match="`people` in its policy file"):
        door.by_github(GitHubAccount("ada2"))
