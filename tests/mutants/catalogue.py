"""The bugs: where each is planted, and which tests are asked whether they notice."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Edit:
    """In `file`, `sound` (found exactly once) becomes `broken`."""

    file: str
    sound: str
    broken: str


@dataclass(frozen=True)
class Mutant:
    """A bug by its name, the edits that plant it, and the tests to run against it."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def mutated(edit: Edit) -> str:
    """The file's text with the bug in it. Raises `ValueError` when the sound text is not there exactly once."""
    text = (ROOT / edit.file).read_text(encoding="utf-8")
    if text.count(edit.sound) != 1:
        raise ValueError(f"{edit.file} holds {text.count(edit.sound)} times, and not once: {edit.sound!r}")
    return text.replace(edit.sound, edit.broken)


STEPS = "tests/integration/durable/test_steps.py"
WAITING = "tests/integration/durable/test_waiting.py"
WORKER = "tests/integration/durable/test_worker.py"
INTAKE = "tests/integration/durable/test_intake.py"
FAMILIES = "tests/integration/durable/test_rewound_families.py"
REUSE = "tests/integration/durable/test_reuse.py"
PAYLOADS = "tests/integration/durable/test_payloads.py"

MUTANTS = (
    Mutant(
        "no fence",
        (
            Edit(
                "durable/postgres/journal.py",
                "    WHERE key = :key AND fence = :fence AND state = 'running'{only} RETURNING key, run\n",
                "    WHERE key = :key AND :fence > 0{only} RETURNING key, run\n",
            ),
        ),
        (WORKER,),
    ),
    Mutant(
        "no verify",
        (
            Edit(
                "durable/worker/effects.py",
                '        if entry.state == "started":\n            return self._settle(command, entry)\n',
                "",
            ),
        ),
        (STEPS,),
    ),
    Mutant(
        "no deduplication",
        (
            Edit("durable/postgres/deliveries.py", "    WHERE deliveries.state = 'failed'\n", ""),
            Edit(
                "durable/postgres/commands.py",
                "SELECT 1 FROM durable.inbox WHERE",
                "SELECT 1 FROM durable.inbox WHERE false AND",
            ),
        ),
        (INTAKE, WAITING),
    ),
    Mutant(
        "no signature check",
        (
            Edit(
                "integrations/github/webhook.py",
                "    return hmac.compare_digest(expected,",
                "    return bool(expected) or hmac.compare_digest(expected,",
            ),
        ),
        ("tests/unit/test_github_webhook.py",),
    ),
    Mutant(
        "key without run",
        (Edit("durable/model.py", "{self.workflow_id}/{self.run}/{self.step}", "{self.workflow_id}/{self.step}"),),
        (STEPS,),
    ),
    Mutant(
        "no escape",
        (Edit("handlers/messages/text.py", "_ENTITIES.get(letter, letter)", "letter"),),
        ("tests/unit/handlers",),
    ),
    Mutant(
        "timer from now instead of due time",
        (
            Edit(
                "durable/worker/session.py",
                "due = started.due_at or self.now() + timedelta(seconds=command.seconds)",
                "due = self.now() + timedelta(seconds=command.seconds)",
            ),
        ),
        (WAITING,),
    ),
    Mutant(
        "reminders that stop after a restart",
        (
            Edit(
                "durable/postgres/scheduling.py",
                "claimed_until = NULL, wake_at = (SELECT durable.now())\n    + make_interval(",
                "claimed_until = NULL, wake_at = CAST(NULL AS timestamptz) + make_interval(",
            ),
        ),
        (WORKER,),
    ),
    Mutant(
        "a workflow that takes down one worker after the other without a pause",
        (Edit("durable/postgres/scheduling.py", "least(:longest, power(2, attempts - 2))", "0 * :longest"),),
        (WORKER,),
    ),
    Mutant(
        "steps with the keys of those that a rewind forgot",
        (
            Edit(
                "durable/model.py",
                "    return max((number for number, to in enumerate(rewound, start=1) if to < step), default=0)\n",
                "    del rewound, step\n    return 0\n",
            ),
        ),
        (FAMILIES,),
    ),
    Mutant(
        "members that do everything again after a rewind",
        (
            Edit(
                "durable/worker/family.py",
                "if before is None or not _is_ok(before[number])]",
                "if number >= 0]",
            ),
        ),
        (FAMILIES,),
    ),
    Mutant(
        "members that lose what they were at when their gather is rewound",
        (Edit("durable/postgres/rewound.py", "    open_again(connection, sorted(left), now)\n", "    left.clear()\n"),),
        (FAMILIES,),
    ),
    Mutant(
        "losers of a race that may not clean up",
        (
            Edit(
                "durable/worker/family.py",
                'return "cancel" if command.race and done.state == "done" else "terminate"',
                'return "terminate" if command and done else "cancel"',
            ),
        ),
        ("tests/integration/durable/test_side_by_side.py",),
    ),
    Mutant(
        "inbox dropped at the end",
        (Edit("durable/postgres/endings.py", " AND NOT EXISTS ({_UNREAD_START}) RETURNING", " RETURNING"),),
        (WAITING,),
    ),
    Mutant(
        "a run without the options of the start that was left over",
        (
            Edit(
                "durable/postgres/endings.py",
                "options = None if waiting.start_options is None else decode(waiting.start_options)",
                "options = None and decode(waiting.start_options)",
            ),
        ),
        (WAITING,),
    ),
    Mutant(
        "an id that is to be used once, begun again by a signal",
        (Edit("durable/postgres/commands.py", 'runs_once = beginning.options.reuse == "reject"', "runs_once = False"),),
        (REUSE,),
    ),
    Mutant(
        "a large result that is gone with the member that had it",
        (
            Edit(
                "durable/worker/offloading.py",
                "        payloads.use(connection, self._workflow, entry.payload)\n",
                "        del connection, entry\n",
            ),
        ),
        (PAYLOADS,),
    ),
    Mutant(
        "large values forgotten that stand in large values",
        (
            Edit(
                "durable/postgres/payload_pruning.py",
                "    UNION SELECT workflow_key, unnest(holds) FROM direct JOIN durable.payloads USING (hash)\n",
                "",
            ),
        ),
        (PAYLOADS,),
    ),
    Mutant(
        "large values forgotten before the row that refers to them",
        (
            Edit(
                "durable/postgres/payload_pruning.py",
                "SELECT key FROM durable.workflows WHERE state <> 'running' AND key IN (\n"
                "    SELECT workflow_key FROM durable.payload_uses JOIN durable.workflows w ON w.key = workflow_key\n"
                "    WHERE noted_at < (SELECT durable.now()) - :age AND w.state <> 'running' ORDER",
                "SELECT key FROM durable.workflows WHERE key IN (SELECT workflow_key FROM durable.payload_uses\n"
                "    WHERE noted_at < (SELECT durable.now()) - :age ORDER",
            ),
        ),
        (PAYLOADS,),
    ),
    Mutant(
        "retry on a lost answer",
        (Edit("integrations/slack/calls.py", "            retry_handlers=[],", "            #"),),
        ("tests/integration/test_slack_client_faults.py",),
    ),
    Mutant(
        "what is asked too late is left for the next watch",
        (
            Edit(
                "handlers/watch.py",
                "signal = receive(*state.signals, timeout=0)",
                'signal = receive("github", timeout=0)',
            ),
        ),
        ("tests/integration/watch/test_watch_asks.py",),
    ),
    Mutant(
        "a run of an earlier release waits for signals it never knew",
        (
            Edit(
                "handlers/watch.py",
                "receive(*state.signals, until=due_at)",
                'receive("github", "remind", "snooze", "wake", until=due_at)',
            ),
        ),
        ("tests/unit/test_golden_histories.py",),
    ),
)
