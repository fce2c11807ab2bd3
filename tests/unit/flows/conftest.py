"""No task is known that a test did not declare: other tests of the process have declared theirs."""

import pytest

import durable.flows.tasks


@pytest.fixture(autouse=True)
def _no_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable.flows.tasks, "_declared", {})
