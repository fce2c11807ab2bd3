"""The documentation says nothing that is not there: links, files, commands, settings, targets, tests, decisions."""

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import vigil
from tests.support.documents import DECISIONS, DOCUMENTS, OPERATIONS, ROOT, Document

SETTINGS = (ROOT / "config" / "settings.py").read_text(encoding="utf-8")
READ_VARIABLES = frozenset(re.findall(r'environment\.\w+\(\s*"([A-Z_]+)"', SETTINGS))
READ_BY_TESTS = frozenset({"VIGIL_TEST_SERVER", "VIGIL_WRITE_SNAPSHOTS"})
VARIABLE = re.compile(r"\b(?:(?:VIGIL|GITHUB|SLACK)_[A-Z_]*[A-Z]|DATABASE_URL)\b")
FOLDER_OR_FILE = re.compile(r"(?:bot|config|docs|durable|handlers|integrations|tests)/[\w./*-]*")
ROOT_FILE = re.compile(r"Makefile|Procfile|LICENSE|\.env\.example|pyproject\.toml|uv\.lock")
COMMAND = re.compile(r"python -m bot((?: [a-z]+)*)((?: .*)?)")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


@each_document
def test_every_link_leads_somewhere(document: Document) -> None:
    for link in document.links():
        name, _, anchor = link.partition("#")
        target = Document((document.path.parent / name).resolve() if name else document.path)
        assert target.path.exists(), link
        assert not anchor or anchor in target.anchors(), link


@each_document
def test_every_file_that_is_named_exists(document: Document) -> None:
    for code in document.code():
        if FOLDER_OR_FILE.fullmatch(code) or ROOT_FILE.fullmatch(code):
            assert list(ROOT.glob(code.rstrip("/"))), code


@each_document
def test_every_setting_that_is_named_is_read(document: Document) -> None:
    assert set(VARIABLE.findall(document.text)) <= READ_VARIABLES | READ_BY_TESTS


def test_every_setting_is_described_to_operators() -> None:
    described = {name for code in OPERATIONS.code() for name in code.split()}
    assert described >= READ_VARIABLES


def test_the_example_of_settings_names_only_what_is_read() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)) <= READ_VARIABLES


@each_document
def test_every_make_target_that_is_named_is_there(document: Document) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {found for code in document.code() for found in re.findall(r"^make ([a-z]+)", code)} <= targets


def commands() -> list[tuple[str, str]]:
    """Every `python -m bot …` of the documentation: its words, and the rest of the line."""
    found = {match.groups() for document in DOCUMENTS for code in document.code() if (match := COMMAND.match(code))}
    return sorted((words.strip(), rest.strip()) for words, rest in found)


@pytest.mark.parametrize(("words", "rest"), commands())
def test_every_command_that_is_named_explains_itself_and_knows_its_options(words: str, rest: str) -> None:
    told = CliRunner().invoke(vigil, [*words.split(), "--help"], prog_name="python -m bot")
    assert told.exit_code == 0, told.output
    for option in re.findall(r"--[a-z-]+", rest):
        assert option in told.output


def test_every_command_is_described_to_operators() -> None:
    described = [match[1].strip() for code in OPERATIONS.code() if (match := COMMAND.match(code))]
    context = vigil.make_context("python -m bot", ["serve"], resilient_parsing=True)
    for name in vigil.list_commands(context):
        assert any(words.split()[:1] == [name] for words in described), name


@each_document
def test_every_test_that_is_named_is_there(document: Document) -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", sources))
    assert {code for code in document.code() if re.fullmatch(r"test_\w+", code)} <= there


def test_every_decision_is_in_the_index_under_its_number() -> None:
    index = Document(ROOT / "docs" / "adr" / "README.md")
    listed = re.findall(r"^- \[(\d{4})\]\((.+?)\)", index.prose, re.MULTILINE)
    assert sorted(name for _, name in listed) == sorted(decision.path.name for decision in DECISIONS)
    assert all(name.startswith(number) for number, name in listed)
    assert len({number for number, _ in listed}) == len(listed)


@pytest.mark.parametrize("decision", DECISIONS, ids=str)
def test_a_decision_says_its_number_its_status_and_what_was_decided(decision: Document) -> None:
    assert decision.text.startswith(f"# {decision.path.name[:4]}: ")
    assert re.search(r"^Status: ", decision.text, re.MULTILINE)


@pytest.mark.parametrize(
    ("record", "groups"), [("0051-dependencies.md", ()), ("0050-development-tools.md", ("dev", "demo"))]
)
def test_every_dependency_earns_its_place_in_a_line(record: str, groups: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = (
        [name for group in groups for name in project["dependency-groups"][group]]
        if groups
        else project["project"]["dependencies"]
    )
    rows = re.findall(r"^\| ([\w, -]+?) \|", (ROOT / "docs" / "adr" / record).read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows[1:] for name in row.split(", ")}
    assert named == {re.split(r"[<>=]", name)[0] for name in wanted}


def test_the_changelog_knows_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert f"## [{project['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_shell_line_is_a_command_of_ours_or_a_common_one() -> None:
    lines = [line for document in DOCUMENTS for block in document.blocks("sh") for line in block.splitlines()]
    known = ("make ", "python -m bot", ". .venv/bin/activate", "cp .env.example .env")
    assert [line for line in lines if line.strip() and not line.strip().startswith(known)] == []


def test_no_document_names_a_folder_of_the_machine_it_was_written_on() -> None:
    strangers = re.compile(r"(?<![\w~.])/(?:home|root|work|Users)/")
    assert [str(document) for document in DOCUMENTS if strangers.search(document.text)] == []
    assert Path(ROOT / "LICENSE").read_text(encoding="utf-8").lstrip().startswith("Apache License")
