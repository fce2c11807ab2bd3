"""The bot as its own process, as operators run it: started, asked whether it is ready, killed, frozen, stopped."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from bot.demo import rest
from bot.demo.waiting import eventually

Role = Literal["serve", "web", "worker"]

_ROOT = Path(__file__).parents[2]
_READY_WITHIN = 30.0


class Child(Protocol):
    """A process that was started, as `subprocess.Popen` shows it."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class BotProcess:
    """`python -m bot <role>` with this environment and nothing else of ours, in an empty folder of its own."""

    def __init__(self, role: Role, environment: dict[str, str], folder: Path) -> None:
        self.role = role
        self.url = f"http://127.0.0.1:{environment['PORT']}"
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(_ROOT),
            "PYTHONUNBUFFERED": "1",
            "VIGIL_CONFIG": str(_ROOT / "config" / "vigil.yml"),
            "VIGIL_FLOWS": str(_ROOT / "config" / "flows"),
            **environment,
        }
        self._log = folder / f"{role}.log"
        self._process: Child | None = None

    @property
    def webhook_url(self) -> str:
        """Where GitHub's deliveries go."""
        return f"{self.url}/github/webhook"

    @property
    def pid(self) -> int:
        """The process id of its latest start."""
        return self._running.pid

    @property
    def running_pid(self) -> int | None:
        """The process id while it runs, else None; also before its first start."""
        return self.pid if self._process is not None and self.exit_code is None else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs, negative for the signal that ended it."""
        return self._running.poll()

    def start(self) -> "BotProcess":
        """Start it without waiting; what it logs is appended to what it logged before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = self.launch(log)
        return self

    def launch(self, log: IO[bytes]) -> Child:
        """A new process of it that writes to `log`."""
        return subprocess.Popen(  # noqa: S603 - the bot itself
            [sys.executable, "-m", "bot", self.role],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until_ready(self, within: float = _READY_WITHIN) -> "BotProcess":
        """Wait until `/readyz` says 200 (a worker, which serves no HTTP, until it says so in its log)."""

        def ready() -> bool:
            if self.exit_code is not None:
                raise RuntimeError(f"`bot {self.role}` ended with {self.exit_code}:\n{self.log_text[-4000:]}")
            if self.role == "worker":
                return any("worker" in str(line.get("event", "")) for line in self.logs())
            rest.call("GET", f"{self.url}/readyz", timeout=2)
            return True

        try:
            eventually(ready, within=within, ignoring=(OSError, rest.RestError))
        except AssertionError as error:
            raise AssertionError(f"`bot {self.role}` is not ready: {error}\n{self.log_text[-4000:]}") from error
        return self

    def kill(self) -> None:
        """SIGKILL: no word of farewell. Harmless when it is gone."""
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
        self._running.wait()

    def terminate(self, within: float = 10) -> int:
        """SIGTERM, and wait for its end; returns the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._running.wait(within)

    def freeze(self) -> None:
        """SIGSTOP: it stands still in the middle of whatever it does."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)

    def kill_and_return(self) -> None:
        """SIGKILL, and start again at once; returns when it is ready."""
        self.kill()
        self.start().wait_until_ready()

    def stop(self) -> None:
        """For the end of a test: politely, then for certain; frozen or dead is fine."""
        if self._process is None or self.exit_code is not None:
            return
        self.thaw()
        try:
            self.terminate()
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def log_text(self) -> str:
        """Everything it wrote, from all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def logs(self) -> list[dict[str, Any]]:
        """The log lines that are JSON, from all its starts."""
        lines: list[dict[str, Any]] = []
        for text in self.log_text.splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                lines.append(line)
        return lines

    @property
    def _running(self) -> Child:
        if self._process is None:
            raise RuntimeError(f"`bot {self.role}` was not started")
        return self._process
