"""The log: one JSON line per event, readable in a terminal, and never a secret in it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot.logs import configure
from bot.redaction import MASK, Redactor

SECRETS = ("webhook-s3cret", "-----BEGIN KEY-----\nMIIE\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(secrets=SECRETS, stream=stream)
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_what_was_bound(out: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(delivery_id="72d3162e")
    structlog.get_logger("bot.web").info("delivery.accepted", workflow_id="pr:github.com:acme:api:42")

    [line] = lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "delivery.accepted",
        "level": "info",
        "logger": "bot.web",
        "delivery_id": "72d3162e",
        "workflow_id": "pr:github.com:acme:api:42",
    }


def test_the_standard_librarys_lines_look_the_same_and_keep_their_extras(out: io.StringIO) -> None:
    logging.getLogger("durable.worker").warning("parked at %s", "slack", extra={"workflow_id": "pr:1"})

    [line] = lines(out)
    assert (line["event"], line["level"], line["workflow_id"]) == ("parked at slack", "warning", "pr:1")


def test_a_line_break_from_outside_does_not_make_a_second_line(out: io.StringIO) -> None:
    structlog.get_logger().info("title", title='a\n{"event": "forged"}\x1b[31m')

    assert len(lines(out)) == 1


def test_secrets_are_masked_in_messages_values_and_tracebacks(out: io.StringIO) -> None:
    log = structlog.get_logger()
    try:
        int("bad header: Bearer abcdef123456 for webhook-s3cret")
    except ValueError:
        log.exception("failed with xoxb-12-ab", nested={"tokens": [{"value": "ghp_abc"}, SECRETS[1]]}, key=b"xapp-1-A")
    logging.getLogger("x").error("lost %s", "github_pat_11A_b", exc_info=RuntimeError("eyJhbGci.eyJpc3Mi.c2ln"))

    text = out.getvalue()
    for secret in ("abcdef123456", "webhook-s3cret", "xoxb-12", "ghp_abc", "MIIE", "xapp-1", "11A_b", "eyJpc3Mi"):
        assert secret not in text
    assert MASK in text
    assert "ValueError" in text
    assert "RuntimeError" in text


def test_a_terminal_gets_readable_lines_with_the_same_masks() -> None:
    stream = Terminal()
    root = logging.getLogger()
    handlers = root.handlers[:]
    configure(secrets=SECRETS, stream=stream)
    structlog.get_logger().info("started", secret="webhook-s3cret", port=8000)
    root.handlers[:] = handlers
    structlog.reset_defaults()

    text = stream.getvalue()
    assert "started" in text
    assert "8000" in text
    assert "webhook-s3cret" not in text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql+psycopg2://vigil:pa:ss@db/v", f"postgresql+psycopg2://{MASK}@db/v"),
        ("https://hooks.slack.com/commands/T1/2/abc done", f"https://hooks.slack.com/{MASK} done"),
        ("Authorization: token ghs_16C7e42F292c6912E7", f"Authorization: token {MASK}"),
        ("xoxe.xoxb-1-My0xLW", MASK),
        ("Basic dXNlcjpwYXNz.", f"Basic {MASK}"),
        ("a bearer of news, basic needs", "a bearer of news, basic needs"),
        ("https://github.com/acme/api/pull/42", "https://github.com/acme/api/pull/42"),
        ("pr-api-42-fix", "pr-api-42-fix"),
    ],
)
def test_what_looks_like_a_token_is_masked_though_nobody_told_us(text: str, masked: str) -> None:
    assert Redactor().text(text) == masked


def test_a_secret_inside_another_is_masked_with_it() -> None:
    assert Redactor(("secret", "secret-longer")).text("secret-longer secret") == f"{MASK} {MASK}"


def test_a_very_short_secret_does_not_blank_out_ordinary_words() -> None:
    assert Redactor(("a", "")).text("a cat") == "a cat"
