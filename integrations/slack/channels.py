"""Slack channels: made, found, described, filled and archived."""

import re
from collections.abc import Mapping
from typing import Any

from integrations.slack.api import Channel, Invited, Refused
from integrations.slack.calls import Answer, Calls, nothing

_MOST_CHANNELS = 1000
_MOST_MEMBERS = 200
_LONGEST_TOPIC = 250
_CUT_ENTITY = re.compile(r"&[a-z]{0,4}$")

_ALREADY_THERE = frozenset({"already_in_channel", "cant_invite_self"})
_CANNOT_BE_INVITED = frozenset(
    {
        "cant_invite",
        "external_team_not_in_channel",
        "failed_for_some_users",
        "no_user",
        "org_user_not_in_channel_team",
        "org_user_not_in_team",
        "ura_max_channels",
        "user_is_restricted",
        "user_is_ultra_restricted",
        "user_not_found",
        "user_team_not_in_channel",
        "users_not_found",
    }
)


class Channels(Calls):
    """The part of `integrations.slack.api.Slack` that is about channels."""

    def create_channel(self, name: str, *, private: bool, timeout: float = 10) -> Channel:
        """See `Slack`."""
        # As JSON: slack_sdk's own method sends `is_private=1`, which Slack reads and the stand-in does not.
        arguments = {"name": name, "is_private": private}
        return self.ask(
            "conversations.create",
            lambda web: web.api_call("conversations.create", json=arguments),
            _its_channel,
            timeout,
        )

    def find_channel(self, name: str, *, timeout: float = 10) -> Channel | None:
        """See `Slack`. Twenty pages of 1,000 channels a minute are what Slack grants."""
        pages = self.pages(
            "conversations.list",
            lambda web, cursor: web.conversations_list(
                types="public_channel,private_channel", exclude_archived=False, limit=_MOST_CHANNELS, cursor=cursor
            ),
            lambda answer: [_channel(raw) for raw in answer.data["channels"] if raw["name"] == name],
            timeout,
        )
        return next((channel for page in pages for channel in page), None)

    def channel(self, channel_id: str, *, timeout: float = 10) -> Channel:
        """See `Slack`."""
        return self.ask(
            "conversations.info", lambda web: web.conversations_info(channel=channel_id), _its_channel, timeout
        )

    def members(self, channel_id: str, *, timeout: float = 10) -> frozenset[str]:
        """See `Slack`."""
        pages = self.pages(
            "conversations.members",
            lambda web, cursor: web.conversations_members(channel=channel_id, limit=_MOST_MEMBERS, cursor=cursor),
            lambda answer: [str(member) for member in answer.data["members"]],
            timeout,
        )
        return frozenset(member for page in pages for member in page)

    def invite(self, channel_id: str, user_id: str, *, timeout: float = 10) -> Invited:
        """See `Slack`."""
        try:
            self.ask(
                "conversations.invite",
                lambda web: web.conversations_invite(channel=channel_id, users=user_id),
                nothing,
                timeout,
            )
        except Refused as refused:
            if refused.code in _ALREADY_THERE:
                return "already_there"
            if refused.code in _CANNOT_BE_INVITED:
                return "impossible"
            raise
        return "invited"

    def set_topic(self, channel_id: str, topic: str, *, timeout: float = 10) -> None:
        """See `Slack`."""
        self.ask(
            "conversations.setTopic",
            lambda web: web.conversations_setTopic(channel=channel_id, topic=_cut(topic)),
            nothing,
            timeout,
        )

    def set_purpose(self, channel_id: str, purpose: str, *, timeout: float = 10) -> None:
        """See `Slack`."""
        self.ask(
            "conversations.setPurpose",
            lambda web: web.conversations_setPurpose(channel=channel_id, purpose=_cut(purpose)),
            nothing,
            timeout,
        )

    def add_bookmark(self, channel_id: str, title: str, link: str, *, timeout: float = 10) -> None:
        """See `Slack`."""
        started = self.monotonic()
        links = self.ask(
            "bookmarks.list",
            lambda web: web.bookmarks_list(channel_id=channel_id),
            lambda answer: [bookmark.get("link") for bookmark in answer.data["bookmarks"]],
            timeout,
        )
        if link not in links:
            self.ask(
                "bookmarks.add",
                lambda web: web.bookmarks_add(channel_id=channel_id, title=title, type="link", link=link),
                nothing,
                timeout - (self.monotonic() - started),
            )

    def archive(self, channel_id: str, *, timeout: float = 10) -> None:
        """See `Slack`."""
        try:
            self.ask(
                "conversations.archive",
                lambda web: web.conversations_archive(channel=channel_id),
                nothing,
                timeout,
            )
        except Refused as refused:
            if refused.code != "already_archived":
                raise


def _its_channel(answer: Answer) -> Channel:
    return _channel(answer.data["channel"])


def _channel(raw: Mapping[str, Any]) -> Channel:
    return Channel(
        id=str(raw["id"]),
        name=str(raw["name"]),
        creator=str(raw.get("creator") or ""),
        private=raw.get("is_private") is True,
        archived=raw.get("is_archived") is True,
        purpose=str((raw.get("purpose") or {}).get("value") or ""),
        is_member=raw.get("is_member") is not False,
    )


def _cut(text: str) -> str:
    """At most what Slack takes, without half an entity (`&am`) at the end."""
    if len(text) <= _LONGEST_TOPIC:
        return text
    return _CUT_ENTITY.sub("", text[: _LONGEST_TOPIC - 1]) + "…"
