"""The documentation as the tests read it: prose, code spans, blocks, links and headings of each Markdown file."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One Markdown file of the repository."""

    path: Path

    def __str__(self) -> str:
        """Its path from the root, as a test's name shows it."""
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """What is not in a fenced block."""
        return _FENCE.sub("", self.text)

    def blocks(self, *languages: str) -> list[str]:
        """The fenced blocks in these languages."""
        return [body for _, language, body in _FENCE.findall(self.text) if language in languages]

    def code(self) -> list[str]:
        """Everything that is meant to be typed or named: spans, each on one line, and the lines of shell blocks."""
        spans = [" ".join(span.split()) for span in _SPAN.findall(self.prose)]
        return spans + [line.strip() for block in self.blocks("sh") for line in block.splitlines()]

    def links(self) -> list[str]:
        """Where its links lead, within the repository."""
        return [target for target in _LINK.findall(self.prose) if "://" not in target]

    def anchors(self) -> set[str]:
        """The anchors GitHub gives its headings."""
        return {_anchor(heading) for heading in _HEADING.findall(self.prose)}


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


DOCUMENTS = tuple(
    Document(path) for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
)
DECISIONS = tuple(document for document in DOCUMENTS if re.match(r"\d{4}-", document.path.name))
OPERATIONS = Document(ROOT / "docs" / "operations.md")
