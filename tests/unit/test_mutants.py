"""`make mutants` plants each bug; here we only see to it that each can still be planted."""

import pytest

from tests.mutants.catalogue import MUTANTS, ROOT, Mutant, mutated


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_planted_bug_still_finds_its_place(mutant: Mutant) -> None:
    for edit in mutant.edits:
        assert edit.broken in mutated(edit)
    for tests in mutant.tests:
        assert (ROOT / tests).exists()


def test_there_are_at_least_ten() -> None:
    assert len(MUTANTS) >= 10
