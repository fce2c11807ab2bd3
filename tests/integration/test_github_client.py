"""Our GitHub client against the stand-in, and the proxy in front of it when things go wrong."""

import logging
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.demo.github_world import PullRequest as PullRequestThere
from bot.demo.ports import free_port
from bot.demo.standins import GITHUB_TOKEN
from integrations.github.api import (
    Forbidden,
    GitHubError,
    NotFound,
    Person,
    PullRequestRef,
    RateLimited,
    Review,
    Unauthorized,
    Unavailable,
    UnusedEvent,
)
from integrations.github.client import GitHubClient
from integrations.github.webhook import parse
from tests.support import faults
from tests.support.faults import Fault
from tests.support.world import World


@pytest.fixture
def github(world: World) -> Iterator[GitHubClient]:
    client = GitHubClient.with_token(GITHUB_TOKEN, base_url=f"{world.github_proxy.url}/", timeout=5)
    yield client
    client.close()


@pytest.fixture
def there(world: World) -> PullRequestThere:
    return world.github.open_pull_request("Add <!channel>", reviewers=["ada", "grace"], author="octocat")


def ref_of(there: PullRequestThere) -> PullRequestRef:
    owner, repo = there.repository.split("/")
    return PullRequestRef("127.0.0.1", owner, repo, there.number, there.repository_state()["id"])


def test_the_open_pull_requests_are_listed_in_one_request_for_each_hundred(
    world: World, github: GitHubClient, there: PullRequestThere, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, third = (world.github.open_pull_request(title, author="octocat") for title in ("Second", "Third"))
    second.close()
    found = github.open_pull_requests("acme", "api")
    assert [each.title for each in found] == ["Third", "Add <!channel>"]
    assert found[1].ref == ref_of(there)
    assert {each.reviews for each in found} == {None}
    assert len(world.github_proxy.calls()) == 1
    monkeypatch.setattr("integrations.github.client._PAGE", 1)
    assert github.open_pull_requests("acme", "api") == found
    assert len(world.github_proxy.calls()) == 1 + 3
    with pytest.raises(NotFound):
        github.open_pull_requests("acme", "nothing-there")
    assert third.number == found[0].ref.number


def test_a_pull_request_is_read_with_its_reviews_in_two_requests(
    world: World, github: GitHubClient, there: PullRequestThere
) -> None:
    there.review("grace", "REQUEST_CHANGES")
    there.review("ada", "APPROVE")
    pull_request = github.read_pull_request(ref_of(there))
    assert len(world.github_proxy.calls()) == 2
    assert pull_request.ref == ref_of(there)
    assert pull_request.ref.workflow_id == "pr:127.0.0.1:acme:api:1"
    assert (pull_request.title, pull_request.url) == ("Add <!channel>", there.url)
    assert (pull_request.author, pull_request.reviewers) == (Person("octocat"), ())
    assert (pull_request.state, pull_request.merged, pull_request.draft, pull_request.private) == (
        "open",
        False,
        False,
        False,
    )
    assert pull_request.reviews is not None
    assert [(review.author, review.state) for review in pull_request.reviews] == [
        (Person("grace"), "changes_requested"),
        (Person("ada"), "approved"),
    ]
    assert all(isinstance(review, Review) and review.submitted_at for review in pull_request.reviews)


def test_requested_reviewers_drafts_and_private_repositories_are_seen(world: World, github: GitHubClient) -> None:
    there = world.github.open_pull_request(repository="acme/vault", draft=True, reviewers=["ada"])
    pull_request = github.read_pull_request(ref_of(there))
    assert (pull_request.draft, pull_request.private) == (True, True)
    assert pull_request.reviewers == (Person("ada"),)
    assert pull_request.reviews == ()


def test_a_merge_and_a_close_are_told_apart(world: World, github: GitHubClient, there: PullRequestThere) -> None:
    other = world.github.open_pull_request()
    there.merge()
    other.close()
    merged, closed = github.read_pull_request(ref_of(there)), github.read_pull_request(ref_of(other))
    assert [(one.state, one.merged) for one in (merged, closed)] == [("closed", True), ("closed", False)]


def test_a_pull_request_known_by_name_alone_is_read(github: GitHubClient, there: PullRequestThere) -> None:
    by_name = PullRequestRef("127.0.0.1", "acme", "api", there.number, repository_id=0)
    assert github.read_pull_request(by_name).ref == ref_of(there)


def test_what_is_not_there_is_not_found(github: GitHubClient, there: PullRequestThere) -> None:
    with pytest.raises(NotFound, match="acme/api#99"):
        github.read_pull_request(PullRequestRef("127.0.0.1", "acme", "api", 99, ref_of(there).repository_id))
    with pytest.raises(NotFound):
        github.read_pull_request(PullRequestRef("127.0.0.1", "acme", "nothing", 1, 0))


def test_an_address_is_read_where_there_is_one(github: GitHubClient) -> None:
    assert github.public_email("ada") == "ada@example.com"
    assert github.public_email("stranger") is None
    assert github.public_email("nobody-at-all") is None


def test_the_bot_knows_who_it_is_in_one_request(world: World, github: GitHubClient) -> None:
    assert github.identity().login == "vigil-app"
    assert len(world.github_proxy.calls()) == 1


def test_deliveries_and_answers_speak_of_the_same_pull_request(
    world: World, github: GitHubClient, there: PullRequestThere
) -> None:
    there.review("grace", "APPROVE")
    there.merge()
    sent = [parse(one.event, one.id, one.body.encode()) for one in world.sent_deliveries()]
    ours = [event for event in sent if not isinstance(event, UnusedEvent)]
    assert {event.action for event in ours} >= {"opened", "review_requested", "submitted", "closed"}
    read = github.read_pull_request(ref_of(there))
    assert {event.pull_request.ref for event in ours} == {read.ref}
    [closed] = [event for event in ours if event.action == "closed"]
    assert closed.pull_request == replace(read, reviews=None, updated_at=closed.pull_request.updated_at)


def failed(world: World, github: GitHubClient, there: PullRequestThere, fault: Fault) -> GitHubError:
    """What comes of reading a pull request that meets this fault; the client asks exactly once and never sleeps."""
    world.github_proxy.make("GET *", fault)
    started = time.monotonic()
    with pytest.raises(GitHubError) as caught:
        github.read_pull_request(ref_of(there))
    assert time.monotonic() - started < 2
    assert len(world.github_proxy.calls("GET *")) == 1
    assert GITHUB_TOKEN not in "".join(traceback.format_exception(caught.value))
    return caught.value


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.server_error(500), Unavailable),
        (faults.server_error(502), Unavailable),
        (faults.server_error(503), Unavailable),
        (faults.lost_call(), Unavailable),
        (faults.lost_answer(), Unavailable),
        (faults.cut_answer(), Unavailable),
        (faults.broken_json(), Unavailable),
        (Fault("a page", applied=False, status=200, body=b"<html>sign in</html>"), Unavailable),
        (Fault("a list", applied=False, status=200, body=b"[1]"), Unavailable),
        (Fault("nothing", applied=False, status=200), Unavailable),
        (Fault("later", applied=False, status=202, body=b"{}"), Unavailable),
        (Fault("a list of errors", applied=False, status=400, body=b'["no"]'), Unavailable),
        (Fault("unprocessable", applied=False, status=422, body=b'{"message": "no"}'), Unavailable),
        (faults.github_unauthorized(), Unauthorized),
        (faults.github_forbidden(), Forbidden),
        (Fault("gone", applied=False, status=410, body=b'{"message": "This was deleted"}'), NotFound),
        (Fault("law", applied=False, status=451, body=b'{"message": "Repository access blocked"}'), Forbidden),
    ],
)
def test_each_failure_has_its_own_word_and_is_not_repeated(
    world: World, github: GitHubClient, there: PullRequestThere, fault: Fault, expected: type[GitHubError]
) -> None:
    assert type(failed(world, github, there, fault)) is expected


NOW = 1_700_000_000
PRIMARY = b'{"message": "API rate limit exceeded for user ID 1."}'


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds"),
    [
        (403, PRIMARY, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 90}"}, 90),
        (403, PRIMARY, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW - 9}"}, 1),
        (429, PRIMARY, {"x-ratelimit-remaining": "0"}, 60),
        (403, PRIMARY, {"x-ratelimit-reset": f"{NOW + 9_999}"}, 3600),
        (429, b"", {"retry-after": "12"}, 12),
        (429, b"", {}, 60),
        (403, b'{"message": "You have exceeded a secondary rate limit."}', {"retry-after": "30"}, 30),
        (403, b'{"message": "You have exceeded a secondary rate limit."}', {"x-ratelimit-remaining": "4999"}, 60),
        (403, b'{"message": "You have triggered an abuse detection mechanism."}', {}, 60),
        (403, b'{"message": "Please wait a few minutes before you try again."}', {}, 60),
    ],
)
def test_a_rate_limit_says_when_to_come_back(
    world: World, there: PullRequestThere, status: int, body: bytes, headers: dict[str, str], seconds: float
) -> None:
    fault = Fault("limit", applied=False, status=status, body=body, headers=headers)
    client = GitHubClient.with_token(GITHUB_TOKEN, base_url=world.github_proxy.url, clock=lambda: float(NOW))
    error = failed(world, client, there, fault)
    client.close()
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


def test_nobody_listening_is_unavailable() -> None:
    client = GitHubClient.with_token(GITHUB_TOKEN, base_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable):
        client.identity()
    client.close()


def test_the_token_stays_out_of_every_log(
    github: GitHubClient, there: PullRequestThere, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    github.read_pull_request(ref_of(there))
    assert GITHUB_TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["", "ghp_1\n", "ghp 1", "ghp_ö1"])
def test_a_token_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValueError, match="GITHUB_TOKEN") as caught:
        GitHubClient.with_token(token)
    assert "1" not in str(caught.value)
