"""The settings: every variable of the contract, what it may say, and what a finding tells without telling secrets."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import Settings, SettingsError, SignIn, load, load_database

ENVIRON = {
    "GITHUB_WEBHOOK_SECRET": "hook-secret",
    "GITHUB_TOKEN": "ghp_token",
    "SLACK_BOT_TOKEN": "xoxb-token",
    "SLACK_SIGNING_SECRET": "signing-secret",
}
PEM = "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----"


def findings(**changes: str | None) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        settings(**changes)
    return str(refused.value).splitlines()


def settings(**changes: str | None) -> Settings:
    return load({name: value for name, value in {**ENVIRON, **changes}.items() if value is not None})


def test_defaults_are_those_of_the_contract() -> None:
    loaded = settings()

    assert loaded.embedded
    assert loaded.home == Path(".vigil")
    assert (loaded.host, loaded.port) == ("127.0.0.1", 8000)
    assert loaded.github_api_url == "https://api.github.com"
    assert loaded.slack_api_url == "https://slack.com/api/"
    assert loaded.config == Path("config/vigil.yml")
    assert loaded.flows == Path("config/flows")
    assert loaded.modules == ()
    assert (loaded.reminder_interval, loaded.working_hours, loaded.archive_delay) == (None, None, None)
    assert loaded.api_token is None
    assert loaded.notices == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://u:p@db:5432/v", "postgresql+psycopg2://u:p@db:5432/v"),
        ("postgresql://u:p@db/v?sslmode=require", "postgresql+psycopg2://u:p@db/v?sslmode=require"),
        ("postgresql+asyncpg://db/v", "postgresql+psycopg2://db/v"),
        ("postgresql+psycopg2://u:pa%23ss@db/v", "postgresql+psycopg2://u:pa%23ss@db/v"),
        ("", None),
        ("  ", None),
    ],
)
def test_every_postgresql_address_is_driven_by_psycopg2(given: str, expected: str | None) -> None:
    assert settings(DATABASE_URL=given).database_url == expected


@pytest.mark.parametrize(
    "address", ["sqlite:///vigil.db", "mysql://u:hunter2@db/v", "hunter2", "postgresql://u:hunter2@db:x/v"]
)
def test_another_database_is_refused_without_telling_the_password(address: str) -> None:
    [finding] = findings(DATABASE_URL=address)

    assert finding.startswith("DATABASE_URL: ")
    assert "allowed: postgresql://" in finding
    assert "hunter2" not in finding


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("3600", 3600), ("1h", 3600), ("90s", 90), ("2s", 2), ("1h30m", 5400), ("0.5", 0.5), ("1d", 86400), (" 5M ", 300)],
)
def test_an_interval_is_seconds_or_hours_minutes_and_seconds(written: str, seconds: float) -> None:
    assert settings(VIGIL_REMINDER_INTERVAL=written).reminder_interval == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ["often", "-1", "0", "0s", "1h 30m", "30m1h", "1e9", "inf", "nan", "99999999999999h", "h"]
)
def test_an_interval_that_is_none_is_refused_with_what_is_allowed(written: str) -> None:
    [finding] = findings(VIGIL_REMINDER_INTERVAL=written)

    assert finding.startswith(f"VIGIL_REMINDER_INTERVAL: {written!r} ")
    assert "; allowed: " in finding


def test_an_archive_delay_may_be_nothing_at_all() -> None:
    assert settings(VIGIL_ARCHIVE_DELAY="0").archive_delay == timedelta(0)


@pytest.mark.parametrize(
    "missing", ["GITHUB_WEBHOOK_SECRET", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "GITHUB_TOKEN"]
)
def test_a_required_setting_that_is_missing_or_empty_is_one_line_that_names_it(missing: str) -> None:
    assert [line.split(": ")[0] for line in findings(**{missing: None})] == [missing]
    assert [line.split(": ")[0] for line in findings(**{missing: "  "})] == [missing]


def test_all_findings_come_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load({"PORT": "http"})

    named = [finding.split(":")[0] for finding in refused.value.findings]
    assert sorted(named) == ["GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET", "PORT", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"]


def test_a_slack_token_in_the_wrong_variable_is_told_without_its_value() -> None:
    [finding] = findings(SLACK_BOT_TOKEN="xapp-hunter2")

    assert finding.startswith("SLACK_BOT_TOKEN: (hidden) ")
    assert "hunter2" not in finding


def test_socket_mode_is_refused_as_not_built_yet() -> None:
    assert findings(SLACK_APP_TOKEN="xapp-hunter2") == [
        "SLACK_APP_TOKEN: (hidden): Socket Mode is not built yet; allowed: unset"
    ]


def test_a_github_app_is_read_with_the_newlines_platforms_escape() -> None:
    app = settings(GITHUB_TOKEN=None, GITHUB_APP_ID="12", GITHUB_APP_PRIVATE_KEY=PEM).github_app

    assert app is not None
    assert app.id == 12
    assert app.private_key.splitlines()[0] == "-----BEGIN RSA PRIVATE KEY-----"


def test_with_token_and_app_the_token_wins_and_one_line_says_so() -> None:
    loaded = settings(GITHUB_APP_ID="12", GITHUB_APP_PRIVATE_KEY=PEM)

    assert (loaded.github_token, loaded.github_app) == ("ghp_token", None)
    assert len(loaded.notices) == 1


def test_half_a_github_app_is_refused() -> None:
    [finding] = findings(GITHUB_TOKEN=None, GITHUB_APP_ID="12")

    assert finding.startswith("GITHUB_APP_PRIVATE_KEY: not set although GITHUB_APP_ID is")


@pytest.mark.parametrize("value", ["65536", "-1", "http", "8000x", "٣"])
def test_a_port_that_is_none_is_refused(value: str) -> None:
    assert findings(PORT=value) == [f"PORT: {value!r} is not a port; allowed: 0 to 65535"]


@pytest.mark.parametrize("address", ["api.github.com", "ftp://host", "http://", "https://me:hunter2@host"])
def test_an_address_must_be_http_without_a_password(address: str) -> None:
    [finding] = findings(GITHUB_API_URL=address)

    assert finding.startswith("GITHUB_API_URL: ")
    assert "hunter2" not in finding


def test_addresses_of_apis_end_as_their_clients_need_them() -> None:
    loaded = settings(GITHUB_API_URL="http://localhost:4000/", SLACK_API_URL="http://localhost:4001/api")

    assert (loaded.github_api_url, loaded.slack_api_url) == ("http://localhost:4000", "http://localhost:4001/api/")


def test_working_hours_other_than_always_are_refused_as_not_built_yet() -> None:
    assert settings(VIGIL_WORKING_HOURS="always").working_hours == "always"
    assert findings(VIGIL_WORKING_HOURS="mon-fri 09:00-18:00") == [
        "VIGIL_WORKING_HOURS: 'mon-fri 09:00-18:00': working hours other than `always` are not built yet; allowed: always"
    ]


@pytest.mark.parametrize(
    ("demo", "host", "refused"), [("1", "127.0.0.1", False), ("1", "10.0.0.1", True), ("yes", "::1", True)]
)
def test_the_demo_opens_the_dashboard_to_this_machine_alone(demo: str, host: str, refused: bool) -> None:
    if refused:
        assert findings(VIGIL_DEMO=demo, HOST=host)[0].startswith("VIGIL_DEMO: ")
    else:
        assert settings(VIGIL_DEMO=demo, HOST=host).demo
    assert not settings().demo


def test_who_may_look_has_another_token_than_who_may_do() -> None:
    assert settings(VIGIL_API_TOKEN="one-token", VIGIL_VIEWER_TOKEN="another").viewer_token == "another"
    [finding] = findings(VIGIL_API_TOKEN="one-token", VIGIL_VIEWER_TOKEN="one-token")
    assert finding.startswith("VIGIL_VIEWER_TOKEN: (hidden) ")


def test_no_secret_shows_in_the_repr() -> None:
    loaded = settings(
        DATABASE_URL="postgresql://u:hunter2@db/v", VIGIL_API_TOKEN="api-token", VIGIL_VIEWER_TOKEN="seer"
    )

    for secret in (*ENVIRON.values(), "hunter2", "api-token", "seer"):
        assert secret not in repr(loaded)
        assert any(secret in held for held in loaded.secrets)
    assert "hunter2" in loaded.secrets


def test_the_database_alone_needs_no_slack_or_github() -> None:
    loaded = load_database({"DATABASE_URL": "postgres://db/v"})

    assert (loaded.database_url, loaded.home) == ("postgresql+psycopg2://db/v", Path(".vigil"))


def test_the_environment_wins_over_dotenv_and_dollar_signs_are_letters(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text('GITHUB_WEBHOOK_SECRET="a$HOME${PORT}"\nPORT=9000\nexport HOST=0.0.0.0 # all\n')

    loaded = load({**ENVIRON, "PORT": "9001"} | {"GITHUB_WEBHOOK_SECRET": "x"}, dotenv)
    without = load({name: value for name, value in ENVIRON.items() if name != "GITHUB_WEBHOOK_SECRET"}, dotenv)

    assert (loaded.port, loaded.host, loaded.github_webhook_secret) == (9001, "0.0.0.0", "x")  # noqa: S104 - a value, not a bind
    assert without.github_webhook_secret == "a$HOME${PORT}"


def test_a_line_of_dotenv_that_assigns_nothing_is_refused_by_its_number(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=9000\n'broken hunter2\n")

    with pytest.raises(SettingsError) as refused:
        load(ENVIRON, dotenv)

    assert str(refused.value) == f"{dotenv}:2: not an assignment; allowed: NAME=value"


def test_a_missing_dotenv_is_no_finding(tmp_path: Path) -> None:
    assert load(ENVIRON, tmp_path / ".env").port == 8000


def test_a_tilde_in_vigil_home_is_the_home_folder() -> None:
    assert settings(VIGIL_HOME="~/bot", HOME="/home/me").home == Path("/home/me/bot")


CLIENTS = {
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "slack-s3cret",
    "GITHUB_CLIENT_ID": "Iv1.8",
    "GITHUB_CLIENT_SECRET": "github-s3cret",
    "VIGIL_PUBLIC_URL": "https://bot.acme.com/",
}


def test_accounts_sign_people_in_where_the_apps_and_the_address_are_known() -> None:
    loaded = settings(**CLIENTS)

    assert loaded.slack_sign_in == SignIn("1.2", "slack-s3cret")
    assert loaded.github_sign_in == SignIn("Iv1.8", "github-s3cret")
    assert loaded.public_url == "https://bot.acme.com"
    assert {"slack-s3cret", "github-s3cret"} <= set(loaded.secrets)
    assert "s3cret" not in repr(loaded)
    without = settings()
    assert (without.slack_sign_in, without.github_sign_in, without.public_url) == (None, None, None)


@pytest.mark.parametrize("missing", list(CLIENTS))
def test_half_of_what_sign_in_by_an_account_needs_is_refused_with_one_line(missing: str) -> None:
    given = {**CLIENTS, missing: None}
    if missing != "VIGIL_PUBLIC_URL":
        given = {name: value for name, value in given.items() if name[:5] in (missing[:5], "VIGIL")}

    [told] = findings(**given)
    assert told.startswith(f"{missing}: not set although ")
    assert "s3cret" not in told


@pytest.mark.parametrize(
    "address", ["bot.acme.com", "https://bot.acme.com/vigil", "https://me:it@bot.acme.com", "https://bot.acme.com?a=b"]
)
def test_the_public_address_is_a_host_alone(address: str) -> None:
    [told] = findings(VIGIL_PUBLIC_URL=address)
    assert told.startswith("VIGIL_PUBLIC_URL: ")
    assert "me:it" not in told


def test_a_token_that_may_be_guessed_is_spoken_of_without_being_told() -> None:
    loaded = settings(VIGIL_API_TOKEN="sh0rt", VIGIL_VIEWER_TOKEN="long-enough-to-be-one")
    [notice] = loaded.notices
    assert notice.startswith("VIGIL_API_TOKEN has fewer than 16 characters")
    assert "sh0rt" not in notice
