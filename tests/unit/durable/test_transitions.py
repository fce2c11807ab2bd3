"""The state machine is drawn once and coded once: here the two are compared."""

import re

from durable.transitions import ABSENT, ENDS, RUNNING, TRANSITIONS, Transition
from tests.support.documents import ROOT, Document

DRAWING = Document(ROOT / "docs" / "state_machine.md")
ARROW = re.compile(r"^ *(\S+) --> (\S+): (.+)$", re.MULTILINE)


def drawn() -> list[Transition]:
    [diagram] = DRAWING.blocks("mermaid")
    return [Transition(before, event, after) for before, after, event in ARROW.findall(diagram)]


def test_the_drawing_and_the_table_are_equal() -> None:
    arrows = drawn()
    assert len(arrows) == len(set(arrows))
    assert set(arrows) == TRANSITIONS


def test_the_drawing_holds_nothing_but_arrows() -> None:
    [diagram] = DRAWING.blocks("mermaid")
    assert len(diagram.splitlines()) == 1 + len(drawn())


def test_an_event_leads_from_a_state_to_one_state() -> None:
    assert len({(before, event) for before, event, _ in TRANSITIONS}) == len(TRANSITIONS)


def test_every_state_can_be_left_and_reached() -> None:
    states = {before for before, _, _ in TRANSITIONS} | {after for _, _, after in TRANSITIONS}
    assert states == {before for before, _, _ in TRANSITIONS} == {after for _, _, after in TRANSITIONS}
    assert states >= ENDS | {ABSENT, RUNNING}


def test_every_living_state_can_be_terminated() -> None:
    living = {before for before, _, _ in TRANSITIONS} - ENDS - {ABSENT}
    assert {before for before, event, _ in TRANSITIONS if event == "terminate"} == living
