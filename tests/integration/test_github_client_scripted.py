"""Our GitHub client on what the stand-in never does: renames, many pages, many threads, and GitHub Apps."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from integrations.github.access import Server, TokenAccess
from integrations.github.api import Forbidden, Identity, NotFound, PullRequestRef, Unauthorized, Unavailable
from integrations.github.client import GitHubClient
from tests.support.scripted_server import Answer, Request, ScriptedServer

REF = PullRequestRef("github.example", "acme", "api", 7, repository_id=5)
NOT_FOUND = Answer({"message": "Not Found"}, 404)
Script = Callable[[Request], Answer]


def pull(server: ScriptedServer, number: int = 7, *, name: str = "acme/api", repository_id: int = 5) -> dict[str, Any]:
    there = {"ref": "main", "sha": "b" * 40, "repo": {"id": repository_id, "full_name": name, "private": False}}
    there["repo"]["html_url"] = f"https://github.example/{name}"  # type: ignore[index] # a literal of mixed values
    return {
        "url": f"{server.url}/repos/{name}/pulls/{number}",
        "html_url": f"https://github.example/{name}/pull/{number}",
        "number": number,
        "title": f"Pull request {number}",
        "state": "open",
        "user": {"login": "octocat", "type": "User"},
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z",
        "head": {"ref": "changes", "sha": "a" * 40, "repo": None},
        "base": there,
    }


@contextmanager
def reading(script: Callable[[ScriptedServer, Request], Answer]) -> Iterator[tuple[GitHubClient, ScriptedServer]]:
    servers: list[ScriptedServer] = []
    with ScriptedServer(lambda request: script(servers[0], request)) as server:
        servers.append(server)
        client = GitHubClient.with_token("ghp_1", base_url=server.url, timeout=5)
        try:
            yield client, server
        finally:
            client.close()


def test_a_renamed_repository_is_followed() -> None:
    def script(server: ScriptedServer, request: Request) -> Answer:
        if request.path == "/repos/acme/api/pulls/7":
            return Answer({}, 301, {"Location": f"{server.url}/repositories/5/pulls/7"})
        return Answer([] if "/reviews" in request.path else pull(server, name="acme/platform"))

    with reading(script) as (client, server):
        assert client.read_pull_request(REF).ref == PullRequestRef("github.example", "acme", "platform", 7, 5)
        assert server.paths[1:] == ["/repositories/5/pulls/7", "/repos/acme/platform/pulls/7/reviews?per_page=100"]


@pytest.mark.parametrize("taken", [True, False])
def test_a_name_that_is_gone_or_belongs_to_another_repository_is_not_believed(taken: bool) -> None:
    def script(server: ScriptedServer, request: Request) -> Answer:
        if request.path == "/repos/acme/api/pulls/7":
            return Answer(pull(server, repository_id=6)) if taken else NOT_FOUND
        return Answer([] if "/reviews" in request.path else pull(server, name="acme/platform"))

    with reading(script) as (client, server):
        assert client.read_pull_request(REF).ref.repo == "platform"
        assert len(server.paths) == 3


def test_redirects_in_a_circle_end() -> None:
    def script(server: ScriptedServer, request: Request) -> Answer:
        return Answer({}, 301, {"Location": f"{server.url}{request.path}"})

    with reading(script) as (client, server):
        with pytest.raises(Unavailable):
            client.read_pull_request(REF)
        assert len(server.paths) == 1


def test_an_answer_that_leads_elsewhere_is_not_followed() -> None:
    def script(server: ScriptedServer, _request: Request) -> Answer:
        return Answer(pull(server) | {"url": "https://elsewhere.example/repos/acme/api/pulls/7"})

    with reading(script) as (client, server):
        with pytest.raises(Unavailable):
            client.read_pull_request(REF)
        assert len(server.paths) == 1


def test_reviews_are_read_to_the_last_page() -> None:
    def script(server: ScriptedServer, request: Request) -> Answer:
        if "/reviews" not in request.path:
            return Answer(pull(server))
        page = int((re.findall(r"[?&]page=(\d+)", request.path) or ["1"])[0])
        link = f'<{server.url}/repositories/5/pulls/7/reviews?per_page=100&page={page + 1}>; rel="next"'
        state = "APPROVED" if page == 3 else "COMMENTED"
        reviews = [{"user": None, "state": state, "submitted_at": "2024-01-01T00:00:00Z"}] * 100
        return Answer(reviews, headers={} if page == 3 else {"Link": link})

    with reading(script) as (client, server):
        reviews = client.read_pull_request(REF).reviews
        assert reviews
        assert (len(reviews), reviews[0].state, reviews[-1].state) == (300, "commented", "approved")
        assert len(server.paths) == 4


def test_threads_do_not_read_each_others_answers() -> None:
    together = threading.Barrier(4, timeout=10)

    def script(server: ScriptedServer, request: Request) -> Answer:
        number = int(re.findall(r"pulls/(\d+)", request.path)[0])
        if "/reviews" in request.path:
            return Answer([])
        together.wait()
        return Answer(pull(server, number))

    def read(number: int) -> str:
        return client.read_pull_request(PullRequestRef("github.example", "acme", "api", number, 5)).title

    with reading(script) as (client, _), ThreadPoolExecutor(4) as pool:
        numbers = range(1, 41)
        assert list(pool.map(read, numbers)) == [f"Pull request {number}" for number in numbers]


def test_a_client_of_pygithub_is_lent_to_one_thread_at_a_time_and_used_again() -> None:
    access = TokenAccess("ghp_1", Server("http://127.0.0.1", timeout=1))
    with access.lend("acme", "api") as one, access.lend_any() as other:
        assert one is not other
    with access.lend("acme", "web") as again:
        assert again in (one, other)
    access.close()


def test_scopes_are_named_where_github_names_them() -> None:
    def script(_server: ScriptedServer, _request: Request) -> Answer:
        return Answer({"login": "vigil", "url": "x"}, headers={"X-OAuth-Scopes": "repo, read:org"})

    with reading(script) as (client, server):
        assert client.identity() == Identity("vigil", ("repo", "read:org"))
        assert server.paths == ["/user"]


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, text = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    return key.private_bytes(text, kind, serialization.NoEncryption()).decode()


class AppWorld:
    """GitHub as an App installed on acme sees it. `moment` is the clock of client and server; tokens last an hour."""

    def __init__(self, private_key: str) -> None:
        self.moment = 1_893_456_000.0
        self.installed = True
        self.revoked: set[str] = set()
        self.tokens = 0
        self.server = ScriptedServer(self.answer)
        self.client = GitHubClient.with_app(
            "12", private_key, base_url=self.server.url, timeout=5, clock=lambda: self.moment
        )

    def answer(self, request: Request) -> Answer:
        kind, _, token = request.headers["authorization"].partition(" ")
        if kind == "Bearer":
            return self.answer_app(request, token)
        if token in self.revoked:
            return Answer({"message": "Bad credentials"}, 401)
        if request.path.startswith("/users/"):
            return Answer({"login": "ada", "email": "ada@example.com", "url": "x"})
        return Answer([] if "/reviews" in request.path else pull(self.server))

    def answer_app(self, request: Request, token: str) -> Answer:
        assert jwt.decode(token, options={"verify_signature": False})["iss"] == "12"
        if request.path == "/app":
            return Answer({"slug": "vigil"})
        if not self.installed:
            return NOT_FOUND
        if request.path == "/app/installations?per_page=100":
            return Answer([{"id": 77}])
        if request.path == "/repos/acme/api/installation":
            return Answer({"id": 77})
        assert request.path == "/app/installations/77/access_tokens"
        self.tokens += 1
        expires_at = datetime.fromtimestamp(self.moment + 3600, UTC).isoformat()
        return Answer({"token": f"ghs_{self.tokens}", "expires_at": expires_at}, 201)


@pytest.fixture
def app(private_key: str) -> Iterator[AppWorld]:
    world = AppWorld(private_key)
    with world.server:
        yield world
        world.client.close()


def test_an_app_reads_with_the_token_of_the_repositorys_installation(app: AppWorld) -> None:
    for _ in range(2):
        assert app.client.read_pull_request(REF).title == "Pull request 7"
    assert app.server.paths == [
        "/repos/acme/api/installation",
        "/app/installations/77/access_tokens",
        *["/repos/acme/api/pulls/7", "/repos/acme/api/pulls/7/reviews?per_page=100"] * 2,
    ]


def test_an_installations_token_is_renewed_before_it_ends(app: AppWorld) -> None:
    app.client.read_pull_request(REF)
    app.moment += 3500
    app.client.read_pull_request(REF)
    assert app.tokens == 1
    app.moment += 60
    app.client.read_pull_request(REF)
    assert app.tokens == 2


def test_many_threads_share_one_installation_token(app: AppWorld) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: app.client.read_pull_request(REF), range(16)))
    assert app.tokens == 1


def test_a_revoked_installation_token_is_replaced_and_not_taken_for_a_dead_app(app: AppWorld) -> None:
    app.client.read_pull_request(REF)
    app.revoked.add("ghs_1")
    with pytest.raises(Unavailable, match="installation 77"):
        app.client.read_pull_request(REF)
    assert app.client.read_pull_request(REF).title == "Pull request 7"
    app.revoked.add("ghs_2")
    app.installed = False
    with pytest.raises(Unavailable):
        app.client.read_pull_request(REF)
    with pytest.raises(NotFound):
        app.client.read_pull_request(REF)


def test_an_app_looks_up_people_with_any_installation(app: AppWorld) -> None:
    assert app.client.public_email("ada") == "ada@example.com"
    assert app.server.paths[0] == "/app/installations?per_page=100"


def test_an_app_is_known_by_its_slug(app: AppWorld) -> None:
    assert app.client.identity() == Identity("vigil[bot]")


def test_the_tokens_of_an_app_stay_out_of_every_log(app: AppWorld, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    app.client.read_pull_request(REF)
    assert "ghs_1" not in caplog.text


@pytest.mark.parametrize(("status", "expected"), [(401, Unauthorized), (403, Forbidden)])
def test_an_app_that_github_refuses_is_told(private_key: str, status: int, expected: type[Exception]) -> None:
    with ScriptedServer(lambda _: Answer({"message": "no"}, status)) as server:
        client = GitHubClient.with_app("12", private_key, base_url=server.url)
        with pytest.raises(expected):
            client.read_pull_request(REF)
        client.close()


def test_a_key_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="GITHUB_APP_PRIVATE_KEY") as caught:
        GitHubClient.with_app("12", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----")
    assert "hunter2" not in str(caught.value)
