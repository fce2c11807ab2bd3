"""Slack messages: posted with Vigil's key, found by it, changed and deleted."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from integrations.slack.api import Identity, Message, Refused
from integrations.slack.calls import nothing
from integrations.slack.people import People

_EVENT_TYPE = "vigil"
_MOST_MESSAGES = 200


class Messages(People):
    """The part of `integrations.slack.api.Slack` that is about messages."""

    def post(self, channel_id: str, message: Message, *, key: str, timeout: float = 10) -> str:
        """See `Slack`."""
        return self.ask(
            "chat.postMessage",
            lambda web: web.chat_postMessage(
                channel=channel_id,
                text=message.text,
                blocks=list(message.blocks) or None,
                metadata=_metadata(key),
                unfurl_links=False,
                unfurl_media=False,
            ),
            lambda answer: str(answer.data["ts"]),
            timeout,
        )

    def find_message(self, channel_id: str, key: str, *, since: str | None, timeout: float = 10) -> str | None:
        """See `Slack`."""
        started = self.monotonic()
        me = self.own_identity(timeout)
        pages = self.pages(
            "conversations.history",
            lambda web, cursor: web.conversations_history(
                channel=channel_id,
                oldest=since,
                inclusive=True,
                include_all_metadata=True,
                limit=_MOST_MESSAGES,
                cursor=cursor,
            ),
            lambda answer: [str(raw["ts"]) for raw in answer.data["messages"] if _is_wanted(raw, me, key, since)],
            timeout - (self.monotonic() - started),
        )
        return next((timestamp for page in pages for timestamp in page), None)

    def update(self, channel_id: str, timestamp: str, message: Message, *, key: str, timeout: float = 10) -> None:
        """See `Slack`."""
        self.ask(
            "chat.update",
            lambda web: web.chat_update(
                channel=channel_id,
                ts=timestamp,
                text=message.text,
                blocks=list(message.blocks),
                metadata=_metadata(key),
            ),
            nothing,
            timeout,
        )

    def delete(self, channel_id: str, timestamp: str, *, timeout: float = 10) -> None:
        """See `Slack`."""
        try:
            self.ask("chat.delete", lambda web: web.chat_delete(channel=channel_id, ts=timestamp), nothing, timeout)
        except Refused as refused:
            if refused.code != "message_not_found":
                raise


def _metadata(key: str) -> dict[str, Any]:
    return {"event_type": _EVENT_TYPE, "event_payload": {"key": key}}


def _is_wanted(raw: Mapping[str, Any], me: Identity, key: str, since: str | None) -> bool:
    """Whether this is our own message with this key. Bots' posts name their `bot_id`, most of them `user` as well."""
    ours = raw.get("user") == me.user_id or (bool(me.bot_id) and raw.get("bot_id") == me.bot_id)
    metadata = raw.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    matches = metadata.get("event_type") == _EVENT_TYPE and payload.get("key") == key
    return ours and matches and (since is None or Decimal(raw["ts"]) >= Decimal(since))
