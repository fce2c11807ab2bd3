"""Which names a pull request's Slack channel may have, the best one first."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import count

from integrations.github.api import PullRequestRef

LONGEST = 80  # characters, docs.slack.dev/reference/methods/conversations.create
LONGEST_REPO = 40  # so that a long repository name leaves room for the title

_ILLEGAL = re.compile(r"[^a-z0-9_]+")


def channel_names(ref: PullRequestRef, title: str) -> Iterator[str]:
    """`pr-{repo}-{number}-{slug}`, then the same with `-2`, `-3`, … for ever. Each is legal at Slack (lower-case
    letters, digits, `-`, `_`; at most 80 characters), and the number is in each of them uncut."""
    stem = _stem(ref)
    slug = _slug(title)
    base = f"{stem}-{slug}" if slug else stem
    yield _fitted(stem, base, suffix="")
    for again in count(2):
        yield _fitted(stem, base, suffix=f"-{again}")


def _stem(ref: PullRequestRef) -> str:
    repo = _slug(ref.repo)[:LONGEST_REPO].strip("-_")
    return f"pr-{repo}-{ref.number}" if repo else f"pr-{ref.number}"


def _fitted(stem: str, base: str, *, suffix: str) -> str:
    """`base` cut so that the suffix fits, but never into the stem, which ends with the number."""
    room = max(len(stem), LONGEST - len(suffix))
    return base[:room].rstrip("-_") + suffix


def _slug(text: str) -> str:
    """ASCII letters, digits and `_`, words joined by `-`; accents are taken off, what is left over is dropped."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return _ILLEGAL.sub("-", plain.lower()).strip("-_")
