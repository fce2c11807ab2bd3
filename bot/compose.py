"""The composition root: builds the bot's parts from settings and policy. Everything real is made here, and only here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.access import Access
from bot.accounts import accounts_of
from bot.api import Management
from bot.clock import Clock
from bot.dashboard.app import Dashboard
from bot.gatekeeper import Gatekeeper, probes_of
from bot.health import Health
from bot.metrics import Metrics
from bot.programs import Programs
from bot.redaction import Redactor
from bot.sampler import Sampler
from bot.schema import MIGRATIONS
from bot.web import Services
from bot.webhook import SOURCE, DeliveryDesk
from config.policy import Policy
from config.settings import Settings, SettingsError
from durable.client import Client
from durable.flows import FlowRuns
from durable.intake import Intake
from durable.operator import Operator
from durable.postgres import Database
from durable.postgres.migrate import current
from durable.worker import Worker
from handlers import commands
from handlers.flows.watches import Watches
from handlers.messages import replies
from handlers.records.schema import engine_time
from handlers.router import github_router
from handlers.sight import RecordedSight
from handlers.watch import watch_pull_request
from integrations.github.api import GitHub
from integrations.github.client import GitHubClient
from integrations.slack.api import Reply, Slack, SlashCommand
from integrations.slack.client import SlackClient
from integrations.slack.listeners import Listeners

SLOTS = 8
_WORKERS_CONNECTIONS = SLOTS + 6  # as `durable.worker.Worker` asks
_WEBS_CONNECTIONS = 10
_CHECK_EVERY = 15.0
_OWN = (watch_pull_request,)
_LOOK_TIMEOUT = 2.0  # seconds: a command has to be answered within three
_MANAGE_TIMEOUT = 20.0  # seconds


@dataclass(frozen=True)
class Outside:
    """The two systems the bot speaks with."""

    slack: Slack
    github: GitHub


def connections_for(*, web: bool, worker: bool) -> int:
    """How many connections to the database these roles use at most; they are made when they are needed."""
    return _WEBS_CONNECTIONS * web + _WORKERS_CONNECTIONS * worker


def connect_outside(settings: Settings) -> Outside:
    """The clients of Slack and GitHub. Makes no request. Raises `SettingsError` for a token that cannot be one."""
    try:
        slack = SlackClient(settings.slack_bot_token, base_url=settings.slack_api_url)
        if settings.github_token:
            return Outside(slack, GitHubClient.with_token(settings.github_token, base_url=settings.github_api_url))
        if settings.github_app:
            key = settings.github_app.private_key
            app_id = str(settings.github_app.id)
            return Outside(slack, GitHubClient.with_app(app_id, key, base_url=settings.github_api_url))
    except ValueError as problem:
        raise SettingsError((str(problem),)) from problem
    raise SettingsError(("GITHUB_TOKEN: not set; allowed: a token, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY",))


def build_worker(database: Database, policy: Policy, outside: Outside, programs: Programs) -> Worker:
    """The worker with everything the bot can do, and the operators' own programs."""
    return Worker(
        database,
        workflows=[*_OWN, *programs.workflows.values(), *programs.flows.workflows()],
        resources={Slack: outside.slack, GitHub: outside.github, Policy: policy, Watches: Watches(database)},
        routes={SOURCE: github_router(policy)},
        slots=SLOTS,
    )


def build_clock(
    database: Database, outside: Outside, hint: Callable[[], None], revive: Callable[[], object] | None
) -> Clock:
    """What recurs: closed gates are tried, each minute is sampled, and the embedded PostgreSQL is revived should it have
    died."""
    gatekeeper = Gatekeeper(Client(database, hint=hint), probes_of(outside.slack, outside.github))
    sampler = Sampler(database, Client(database))
    duties: dict[str, Callable[[], object]] = {"gates": gatekeeper.check, "samples": sampler.sample}
    if revive is not None:
        duties["embedded_postgres"] = revive
    return Clock(duties, _CHECK_EVERY)


def build_management(database: Database, programs: Programs, hint: Callable[[], None]) -> Management:
    """What the management interfaces speak to. `hint` is called when something was made due."""
    flows = [declared for declared in programs.flows.workflows() if declared.name in programs.flows.flows]
    return Management(
        client=Client(database, hint=hint, timeout=_MANAGE_TIMEOUT),
        operator=Operator(database, hint=hint),
        runs=FlowRuns(database, programs.flows, hint=hint),
        flows=programs.flows,
        workflows={declared.name: declared for declared in (*_OWN, *programs.workflows.values(), *flows)},
    )


def build_services(
    settings: Settings,
    database: Database,
    policy: Policy,
    outside: Outside,
    management: Management,
    hint: Callable[[], None],
    is_ending: Callable[[], bool],
) -> Services:
    """What the HTTP side needs. `hint` is called when a delivery was stored; when the process `is_ending`, open pages are
    let go."""
    client = Client(database, timeout=_LOOK_TIMEOUT)
    needed = {owned.schema: owned.head() for owned in MIGRATIONS}
    sight = RecordedSight(database, outside.slack, policy, timeout=_LOOK_TIMEOUT)
    return Services(
        desk=DeliveryDesk(settings.github_webhook_secret, Intake(database, hint=hint)),
        slack=_slack_listeners(settings, sight).dispatch,
        health=Health(client, lambda: current(database, MIGRATIONS), needed),
        metrics=Metrics(client),
        access=Access(
            settings.api_token,
            viewer_token=settings.viewer_token,
            demo=settings.demo,
            public_url=settings.public_url,
        ),
        management=management,
        dashboard=Dashboard(
            database,
            management,
            lambda: _engine_time(database),
            is_ending,
            accounts=accounts_of(settings, policy, outside.slack, sight.is_admin),
            redactor=Redactor(settings.secrets),
        ),
    )


def _slack_listeners(settings: Settings, sight: RecordedSight) -> Listeners:
    def on_command(command: SlashCommand) -> Reply:
        return commands.answer(command, sight)

    return Listeners(
        signing_secret=settings.slack_signing_secret, on_command=on_command, unavailable=replies.unavailable()
    )


def _engine_time(database: Database) -> datetime:
    with database.reading() as connection:
        return engine_time(connection)
