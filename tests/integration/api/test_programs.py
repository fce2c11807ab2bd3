"""The operators' own programs: loaded at start, or the start ends with what is wrong with them."""

from pathlib import Path

import pytest

from bot import programs
from bot.demo.waiting import eventually
from config.settings import SettingsError
from tests.conftest import StartBot
from tests.support.documents import ROOT

HELLO = str(ROOT / "docs" / "examples" / "hello_cities.py")
TWO = {"chaining_orchestration", "fan_out_fan_in_orchestration"}


def test_a_file_and_a_module_are_loaded_by_what_they_are_called() -> None:
    assert set(programs.load((HELLO,), Path("config/flows")).workflows) >= TWO
    assert set(programs.load(("docs.examples.hello_cities",), Path("config/flows")).workflows) == TWO


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (None, "cannot be imported (FileNotFoundError: "),
        ("import nowhere", "cannot be imported (ModuleNotFoundError: No module named 'nowhere')"),
        ("def f(:", "cannot be imported (SyntaxError: "),
        ("raise SystemExit(3)", "cannot be imported (SystemExit: 3)"),
        ("x = 1", "has no @workflow; "),
    ],
)
def test_a_module_that_cannot_be_used_is_named(source: str | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    if source is not None:
        path.write_text(source)
    with pytest.raises(SettingsError) as refused:
        programs.load((str(path),), tmp_path)
    [finding] = refused.value.findings
    assert finding.startswith(f"VIGIL_MODULES: {path}: {told}")


def test_two_workflows_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="a second workflow is called"):
        programs.load((HELLO, "docs.examples.hello_cities"), Path("config/flows"))


def test_flows_that_cannot_be_used_are_named_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("example.ONE:\n  tasks:\n    - NOBODY\n")
    with pytest.raises(SettingsError) as refused:
        programs.load((), tmp_path)
    assert refused.value.findings[0].startswith(f"VIGIL_FLOWS: {tmp_path / 'mine.yml'}:3: ")


@pytest.mark.parametrize("variable", ["VIGIL_MODULES", "VIGIL_FLOWS"])
def test_the_start_ends_with_one_line(start_bot: StartBot, variable: str) -> None:
    settings = {variable: "nowhere.py"}
    bot = start_bot("serve", ready=False, forked=True, **settings)
    eventually(lambda: bot.exit_code is not None, within=30)
    assert bot.exit_code == 2
    [line] = [line for line in bot.log_text.splitlines() if line.strip()]
    assert f"{variable}: nowhere.py" in line
