"""The first signal asks politely, the second ends the process at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "wait_for_stop.py"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_ends_a_process_that_hangs(number: signal.Signals) -> None:
    environment = {"PYTHONPATH": str(PROGRAM.parents[3]), "PATH": os.environ["PATH"]}
    with subprocess.Popen([sys.executable, PROGRAM], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        assert process.stdout.readline() == "asked\n"
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(timeout=5) == 128 + number
