"""Whether a process is still the one that it was, which its successors on the same machine decide by."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from durable.worker.lease import is_gone, this_process

PROC = Path("/proc")
TEN_MINUTES_S = 600


def test_a_process_is_known_again_and_another_one_with_its_number_is_not() -> None:
    known = this_process()
    assert not is_gone(known)
    assert is_gone(replace(known, pid_started=known.pid_started - TEN_MINUTES_S))


def test_a_process_that_ended_is_gone_also_while_nobody_has_waited_for_it() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(replace(this_process(), pid=ended.pid))
    ended.wait()
    assert is_gone(replace(this_process(), pid=ended.pid))


@pytest.mark.parametrize("by", [TEN_MINUTES_S, -TEN_MINUTES_S])
def test_a_process_is_known_again_after_the_machine_s_clock_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: int
) -> None:
    known = this_process()
    # Linux tells when it was started by counting back from the wall clock: who sets that moves the start along.
    stat = (PROC / "stat").read_text()
    moved = re.sub(r"^btime (\d+)$", lambda found: f"btime {int(found[1]) + by}", stat, flags=re.MULTILINE)
    (tmp_path / "stat").write_text(moved)
    (tmp_path / str(known.pid)).symlink_to(PROC / str(known.pid))
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    assert moved != stat
    assert not is_gone(known)
