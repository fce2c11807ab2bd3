"""The front-end libraries are the files that the table beside them says."""

import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).parents[2] / "bot" / "dashboard" / "static" / "vendor"
ROW = re.compile(r"^\| `([\w.-]+)` \|.*\| `([0-9a-f]{64})` \|$", re.MULTILINE)


def test_each_library_is_what_its_publisher_shipped() -> None:
    said = dict(ROW.findall((VENDOR / "README.md").read_text(encoding="utf-8")))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.suffix in (".js", ".css")
    }
    assert found == said


def test_no_page_and_no_style_of_ours_loads_anything_from_elsewhere() -> None:
    ours = [*VENDOR.parents[1].rglob("*.html"), *VENDOR.parent.glob("*.*")]
    assert len(ours) > 10
    for path in ours:
        loaded = re.findall(r"""(?:src|href|url|import)\s*[=(]?\s*["'(]((?:https?:)?//[^"')]+)""", path.read_text())
        assert loaded == [], path
