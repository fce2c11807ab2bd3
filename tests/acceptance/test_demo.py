"""The demo is run as people run it, and it notices when a step does not hold."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bot.demo.story import BREAKS
from tests.support.chaos import IS_LONG

ROOT = Path(__file__).parents[2]


def play(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bot.demo", "--once", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def leftovers() -> list[str]:
    """Command lines of processes that belong to a demo."""
    lines = (" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
    return [line for line in lines if "vigil-demo-" in line]


def test_the_demo_holds_and_leaves_no_process_behind(tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"
    played = play("--svg", str(picture))
    assert played.returncode == 0, played.stdout + played.stderr
    assert "✗" not in played.stdout
    assert played.stdout.count("✓") >= 15
    assert "SIGKILL" in played.stdout
    assert "acme/api#1" in picture.read_text()
    assert leftovers() == []


@pytest.mark.chaos
@pytest.mark.parametrize("step", BREAKS if IS_LONG else ["no-bot-restart"])
def test_the_demo_fails_when_a_step_is_broken_on_purpose(step: str) -> None:
    played = play("--break", step)
    assert played.returncode == 1, played.stdout + played.stderr
    assert "✗" in played.stdout
