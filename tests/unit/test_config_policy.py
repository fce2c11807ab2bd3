"""The policy file: every key optional, and every finding told with file, line, key and what is allowed."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.policy import Channels, Digest, Policy, PolicyError, Reminders, load
from config.policy_file import KEYS

SHIPPED = Path(__file__).parents[2] / "config" / "vigil.yml"


def written(folder: Path, text: str) -> Path:
    path = folder / "vigil.yml"
    path.write_text(text, encoding="utf-8")
    return path


def findings(folder: Path, text: str) -> list[str]:
    path = written(folder, text)
    with pytest.raises(PolicyError) as refused:
        load(path)
    return str(refused.value).replace(f"{path}:", "").splitlines()


def test_the_shipped_file_says_the_defaults_and_documents_every_key() -> None:
    text = SHIPPED.read_text(encoding="utf-8")

    assert load(SHIPPED) == Policy()
    assert all(f"{key}:" in text for keys in KEYS.values() for key in keys)


@pytest.mark.parametrize("text", ["", "# nothing\n", "reminders:\n", "people:\nadmins:\n"])
def test_every_key_may_be_left_out(tmp_path: Path, text: str) -> None:
    assert load(written(tmp_path, text)) == Policy()


def test_a_full_file_is_read_as_written(tmp_path: Path) -> None:
    text = """
repositories: ["acme/*", Other/Repo]
people: {OctoCat: octocat@example.com, 123: U024BE7LH, on: W012A3CDE}
admins: [U024BE7LH]
reminders: {every: 1h30m, hours: always}
channels: {drafts: open, archive_after: 10, private: never}
"""
    assert load(written(tmp_path, text)) == Policy(
        repositories=("acme/*", "Other/Repo"),
        people={"octocat": "octocat@example.com", "123": "U024BE7LH", "on": "W012A3CDE"},
        admins=("U024BE7LH",),
        reminders=Reminders(every=timedelta(minutes=90)),
        channels=Channels(drafts="open", archive_after=timedelta(seconds=10), private="never"),
    )


def test_an_unknown_key_is_refused_with_its_line_and_the_known_ones(tmp_path: Path) -> None:
    assert findings(tmp_path, "admins: []\nreminders:\n  evry: 1h\n") == [
        "3: reminders.evry: unknown key; allowed: every, hours"
    ]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("remind: 1h", "1: remind: unknown key; allowed: repositories, people, admins, reminders, channels, digest"),
        ("- a", "1: not a mapping; allowed keys: repositories, people, admins, reminders, channels, digest"),
        ("reminders: 1h", "1: reminders: not a mapping; allowed keys: every, hours"),
        ("reminders:\n  every: 0", "2: reminders.every: '0' is not allowed; allowed: more than 0s"),
        ("reminders:\n  every: [1h]", "2: reminders.every: a list is not allowed; allowed: one value"),
        ("channels:\n  drafts: yes", "2: channels.drafts: 'yes' is not allowed; allowed: wait, open"),
        ("admins: U024BE7LH", "1: admins: 'U024BE7LH' is not allowed; allowed: a list, e.g. [a, b]"),
        ("admins: [octocat]", "1: admins: 'octocat' is not allowed; allowed: Slack user ids, e.g. U024BE7LH"),
        ("repositories: []", '1: repositories: empty, so nothing would be watched; allowed: patterns, e.g. ["*"]'),
        ("repositories:\n- acme", "2: repositories: 'acme' is not allowed; allowed: patterns of owner/name, or *"),
        (
            "people: {a: b}",
            "1: people.a: 'b' is not allowed; allowed: a Slack user id (U024BE7LH) or an e-mail address",
        ),
        ("people:\n  Cat: U12\n  cat: U34", "3: people.cat: is there twice; logins are the same whatever their case"),
        ("people: [a]", "1: people: a list is not allowed; allowed: a mapping, e.g. octocat: octocat@example.com"),
        ("admins: []\nadmins: []", "2: admins: is there twice"),
        (
            "digest: {channel: '@ada'}",
            "1: digest.channel: '@ada' is not allowed; allowed: a Slack channel: its id (C024BE7LH) or its name (\"#reviews\")",
        ),
        ("digest: {stale_after: 0}", "1: digest.stale_after: '0' is not allowed; allowed: more than 0s"),
        ("a: b: c", "1: not YAML: mapping values are not allowed here"),
    ],
)
def test_a_bad_value_is_one_line_with_what_is_allowed(tmp_path: Path, text: str, finding: str) -> None:
    assert findings(tmp_path, text) == [finding]


@pytest.mark.parametrize("channel", ["C024BE7LH", "reviews", "#reviews", "#team-a_1"])
def test_the_digest_goes_to_a_channel_by_id_or_by_name(tmp_path: Path, channel: str) -> None:
    text = f'digest: {{channel: "{channel}", stale_after: 3d}}'

    assert load(written(tmp_path, text)).digest == Digest(channel, timedelta(days=3))


def test_working_hours_are_refused_as_not_built_yet(tmp_path: Path) -> None:
    text = 'reminders:\n  hours: {days: mon-fri, from: "09:00", to: "18:00"}\n'

    assert findings(tmp_path, text) == [
        "2: reminders.hours: working hours other than `always` are not built yet; allowed: always"
    ]


def test_all_findings_of_a_file_come_at_once(tmp_path: Path) -> None:
    assert len(findings(tmp_path, "x: 1\nadmins: 2\nchannels: {private: maybe, archive_after: soon}\n")) == 4


def test_a_file_that_is_not_there_is_refused_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="VIGIL_CONFIG"):
        load(tmp_path / "missing.yml")


def test_patterns_match_repositories_whatever_the_case() -> None:
    policy = Policy(repositories=("Acme/*", "other/web-?"))

    assert policy.watches("acme/API")
    assert policy.watches("OTHER/web-1")
    assert not policy.watches("other/web-12")
    assert not policy.watches("acme2/api")
    assert Policy().watches("any/thing")


def test_a_login_is_found_whatever_its_case() -> None:
    policy = Policy(people={"OctoCat": "U024BE7LH"})

    assert policy.person("octocat") == policy.person("OCTOCAT") == "U024BE7LH"
    assert policy.person("hubot") is None


def test_the_environment_overrides_the_file_where_it_says_something() -> None:
    policy = Policy(reminders=Reminders(every=timedelta(hours=2)))

    assert policy.with_overrides() == policy
    changed = policy.with_overrides(reminder_interval=timedelta(seconds=2), archive_delay=timedelta(0))
    assert (changed.reminders.every, changed.channels.archive_after) == (timedelta(seconds=2), timedelta(0))
