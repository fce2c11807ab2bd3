"""The process's settings, read once from the environment and `.env`: the names are a public contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import make_url

from config.environment import Environment
from config.policy_file import HOURS_NOT_BUILT

DEFAULT_FLOWS = "config/flows"
_SHORTEST_TOKEN = 16


class SettingsError(Exception):
    """Settings that cannot be used. Its text is one line per finding: variable, value seen, what is allowed."""

    def __init__(self, findings: tuple[str, ...]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """Where the data lies: all that `db` and `workflow` need. `database_url` None means the embedded PostgreSQL."""

    database_url: str | None = field(repr=False)
    home: Path

    @property
    def embedded(self) -> bool:
        """Whether the embedded PostgreSQL in `home` is used."""
        return self.database_url is None


@dataclass(frozen=True)
class GitHubApp:
    """A GitHub App's id and its private key (PEM)."""

    id: int
    private_key: str = field(repr=False)


@dataclass(frozen=True)
class SignIn:
    """The id and the secret of the app by which people sign in with their account at Slack or GitHub."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Settings(DatabaseSettings):
    """Everything a serving process is told. No secret shows in its repr; `secrets` lists them for the redaction."""

    host: str
    port: int
    github_webhook_secret: str = field(repr=False)
    github_token: str | None = field(repr=False)
    github_app: GitHubApp | None
    github_api_url: str
    slack_bot_token: str = field(repr=False)
    slack_signing_secret: str = field(repr=False)
    slack_api_url: str
    api_token: str | None = field(repr=False)
    viewer_token: str | None = field(repr=False)
    public_url: str | None
    slack_sign_in: SignIn | None
    github_sign_in: SignIn | None
    config: Path
    flows: Path
    modules: tuple[str, ...]
    reminder_interval: timedelta | None
    working_hours: Literal["always"] | None
    archive_delay: timedelta | None
    demo: bool = False
    notices: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must not appear in a log line, longest first."""
        held = (
            self.database_url,
            make_url(self.database_url).password if self.database_url else None,
            self.github_webhook_secret,
            self.github_token,
            self.github_app.private_key if self.github_app else None,
            self.slack_bot_token,
            self.slack_signing_secret,
            self.api_token,
            self.viewer_token,
            self.slack_sign_in.client_secret if self.slack_sign_in else None,
            self.github_sign_in.client_secret if self.github_sign_in else None,
        )
        return tuple(sorted((secret for secret in held if secret), key=len, reverse=True))


def load(environ: Mapping[str, str], dotenv_path: Path | None = None) -> Settings:
    """The settings of a serving process; what `environ` says wins over `.env`. Raises `SettingsError`."""
    environment = Environment(environ, dotenv_path)
    database_url, home = _database(environment)
    token = environment.secret("GITHUB_TOKEN")
    app = _github_app(environment)
    notices = (*_github_notices(environment, token, app), *_token_notices(environment))
    _check_slack_tokens(environment)
    settings = Settings(
        database_url=database_url,
        home=home,
        host=environment.text("HOST", "127.0.0.1"),
        port=environment.port("PORT", 8000),
        github_webhook_secret=environment.required_secret("GITHUB_WEBHOOK_SECRET", "the webhook's secret, not empty"),
        github_token=token,
        github_app=None if token else app,
        github_api_url=environment.address("GITHUB_API_URL", "https://api.github.com").rstrip("/"),
        slack_bot_token=environment.required_secret("SLACK_BOT_TOKEN", "the bot token of the Slack app (xoxb-…)"),
        slack_signing_secret=environment.required_secret("SLACK_SIGNING_SECRET", "the Slack app's signing secret"),
        slack_api_url=environment.address("SLACK_API_URL", "https://slack.com/api/").rstrip("/") + "/",
        api_token=environment.secret("VIGIL_API_TOKEN"),
        viewer_token=_viewer_token(environment),
        public_url=_public_url(environment),
        slack_sign_in=_slack_sign_in(environment),
        github_sign_in=_github_sign_in(environment),
        config=environment.path("VIGIL_CONFIG", "config/vigil.yml"),
        flows=environment.path("VIGIL_FLOWS", DEFAULT_FLOWS),
        modules=environment.listed("VIGIL_MODULES"),
        reminder_interval=environment.duration("VIGIL_REMINDER_INTERVAL", positive=True),
        working_hours=_working_hours(environment),
        archive_delay=environment.duration("VIGIL_ARCHIVE_DELAY", positive=False),
        demo=_demo(environment),
        notices=notices,
    )
    _raise_findings(environment)
    return settings


def load_database(environ: Mapping[str, str], dotenv_path: Path | None = None) -> DatabaseSettings:
    """Where the data lies, without asking for any setting of Slack or GitHub. Raises `SettingsError`."""
    environment = Environment(environ, dotenv_path)
    database_url, home = _database(environment)
    _raise_findings(environment)
    return DatabaseSettings(database_url=database_url, home=home)


def load_programs(environ: Mapping[str, str], dotenv_path: Path | None = None) -> tuple[tuple[str, ...], Path]:
    """The operators' own modules and the folder of flows, without asking for any other setting. Raises
    `SettingsError`."""
    environment = Environment(environ, dotenv_path)
    found = environment.listed("VIGIL_MODULES"), environment.path("VIGIL_FLOWS", DEFAULT_FLOWS)
    _raise_findings(environment)
    return found


def load_public_url(environ: Mapping[str, str], dotenv_path: Path | None = None) -> str | None:
    """The bot's public address, without asking for any other setting. Raises `SettingsError`."""
    environment = Environment(environ, dotenv_path)
    found = _public_url(environment)
    _raise_findings(environment)
    return found


def _raise_findings(environment: Environment) -> None:
    if environment.findings:
        raise SettingsError(tuple(environment.findings))


def _database(environment: Environment) -> tuple[str | None, Path]:
    return environment.database_url("DATABASE_URL"), environment.path("VIGIL_HOME", ".vigil")


def _github_app(environment: Environment) -> GitHubApp | None:
    app_id = environment.text("GITHUB_APP_ID", "")
    private_key = environment.secret("GITHUB_APP_PRIVATE_KEY")
    if not app_id and not private_key:
        return None
    if not app_id or not private_key:
        missing = "GITHUB_APP_PRIVATE_KEY" if app_id else "GITHUB_APP_ID"
        other = "GITHUB_APP_ID" if app_id else "GITHUB_APP_PRIVATE_KEY"
        environment.refuse(missing, f"not set although {other} is; allowed: both of them, or GITHUB_TOKEN alone")
        return None
    pem = private_key.replace("\\n", "\n")
    if not pem.startswith("-----BEGIN"):
        environment.refuse(
            "GITHUB_APP_PRIVATE_KEY", "(hidden) is not a PEM text; allowed: -----BEGIN … PRIVATE KEY----- …"
        )
    if not app_id.isascii() or not app_id.isdigit():
        environment.refuse("GITHUB_APP_ID", f"{app_id!r} is not a number; allowed: the app's numeric id")
        return None
    return GitHubApp(int(app_id), pem)


def _github_notices(environment: Environment, token: str | None, app: GitHubApp | None) -> tuple[str, ...]:
    if token and app:
        return ("GITHUB_TOKEN and GITHUB_APP_ID are both set: the token is used, the app is not",)
    app_named = environment.text("GITHUB_APP_ID", "") or environment.secret("GITHUB_APP_PRIVATE_KEY")
    if not token and not app_named:
        allowed = "a token that may read pull requests, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY"
        environment.refuse("GITHUB_TOKEN", f"not set; allowed: {allowed}")
    return ()


def _token_notices(environment: Environment) -> tuple[str, ...]:
    """What is said of tokens that can be guessed: nobody is kept from trying for weeks."""
    given = {
        "VIGIL_API_TOKEN": environment.secret("VIGIL_API_TOKEN"),
        "VIGIL_VIEWER_TOKEN": environment.secret("VIGIL_VIEWER_TOKEN"),
    }
    return tuple(
        f"{name} has fewer than {_SHORTEST_TOKEN} characters and may be guessed: `openssl rand -hex 32` makes a good one"
        for name, token in given.items()
        if token and len(token) < _SHORTEST_TOKEN
    )


def _check_slack_tokens(environment: Environment) -> None:
    if (environment.secret("SLACK_BOT_TOKEN") or "").startswith(("xapp-", "xoxp-")):
        environment.refuse("SLACK_BOT_TOKEN", "(hidden) is another kind of token; allowed: a bot token (xoxb-…)")
    if environment.secret("SLACK_APP_TOKEN"):
        environment.refuse("SLACK_APP_TOKEN", "(hidden): Socket Mode is not built yet; allowed: unset")


def _viewer_token(environment: Environment) -> str | None:
    """A token that may only look has to be another than the one that may change things."""
    token = environment.secret("VIGIL_VIEWER_TOKEN")
    if token and token == environment.secret("VIGIL_API_TOKEN"):
        environment.refuse("VIGIL_VIEWER_TOKEN", "(hidden) is that of VIGIL_API_TOKEN; allowed: another one, or unset")
    return token


def _public_url(environment: Environment) -> str | None:
    """The address people and other machines know the bot by; pages and interfaces lie at its root."""
    if not environment.text("VIGIL_PUBLIC_URL", ""):
        return None
    address = environment.address("VIGIL_PUBLIC_URL", "").rstrip("/")
    if "/" in address.partition("://")[2] or "?" in address or "#" in address:
        environment.refuse("VIGIL_PUBLIC_URL", f"{address!r} has more than a host; allowed: https://host, no path")
    return address


def _slack_sign_in(environment: Environment) -> SignIn | None:
    client_secret = environment.secret("SLACK_CLIENT_SECRET") or ""
    given = {"SLACK_CLIENT_ID": environment.text("SLACK_CLIENT_ID", ""), "SLACK_CLIENT_SECRET": client_secret}
    return _sign_in(environment, given)


def _github_sign_in(environment: Environment) -> SignIn | None:
    client_secret = environment.secret("GITHUB_CLIENT_SECRET") or ""
    given = {"GITHUB_CLIENT_ID": environment.text("GITHUB_CLIENT_ID", ""), "GITHUB_CLIENT_SECRET": client_secret}
    return _sign_in(environment, given)


def _sign_in(environment: Environment, given: Mapping[str, str]) -> SignIn | None:
    """Sign-in by accounts of one system: all that it needs, or nothing."""
    there = [name for name, value in given.items() if value]
    if not there:
        return None
    for missing in given.keys() - there:
        environment.refuse(missing, f"not set although {there[0]} is; allowed: both of them, or none")
    if not environment.text("VIGIL_PUBLIC_URL", ""):
        allowed = "the address people reach the bot at, such as https://bot.acme.com"
        environment.refuse("VIGIL_PUBLIC_URL", f"not set although {there[0]} is; allowed: {allowed}")
    return SignIn(*given.values())


def _demo(environment: Environment) -> bool:
    """`make demo` shows the dashboard without a token, to this machine alone."""
    demo = environment.text("VIGIL_DEMO", "")
    if demo not in ("", "1"):
        environment.refuse("VIGIL_DEMO", f"{demo!r} is not allowed; allowed: 1, or unset")
    elif demo and environment.text("HOST", "127.0.0.1") not in ("127.0.0.1", "::1", "localhost"):
        environment.refuse("VIGIL_DEMO", "set although HOST is open to others; allowed: only with a loopback HOST")
    return demo == "1"


def _working_hours(environment: Environment) -> Literal["always"] | None:
    written = environment.text("VIGIL_WORKING_HOURS", "")
    if written not in ("", "always"):
        environment.refuse("VIGIL_WORKING_HOURS", f"{written!r}: {HOURS_NOT_BUILT}")
    return "always" if written == "always" else None
