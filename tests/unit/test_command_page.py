"""The page on the command line is what the commands say of themselves."""

import os
import re
from pathlib import Path

from tests.support.command_page import page

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_what_the_commands_say() -> None:
    said = page()
    if os.environ.get("VIGIL_WRITE_SNAPSHOTS"):
        PAGE.write_text(said, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == said


def test_every_command_has_an_example_that_names_it() -> None:
    for section in page().split("\n## ")[1:]:
        for part in section.split("\n### "):
            title, _, text = part.partition("\n")
            examples = text.partition("Examples:")[2]
            assert re.search(rf"(python -m bot|…) .*{title.split()[-1]}", examples), title
