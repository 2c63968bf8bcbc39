"""A task's criteria and the checks: what is filled in, what is refused, and what old tasks mean."""

from __future__ import annotations

import hashlib

import pytest

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.limits import Unit
from annotate.checks.task_criteria import changed_criteria, completed, effective_criteria, limits_of
from kinesphere.errors import InvalidTask
from storage.tasks.criteria import Criteria, Thresholds
from storage.tasks.task import Task, parse_task

FOUR_LINES = """
name = "pour-water"
title = "Pour water from a bottle into a glass"
instructions = "Sit at a table ..."
consent = "I agree that ..."
"""
TASK = Task(name="t", title="T", instructions="I", consent="C")


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ("brightness = { doubt = 40, fail = -1 }", "'criteria.brightness': fail (-1) must not be negative (line 7)"),
        (
            "blur = { doubt = 0.5, fail = 50 }",
            "'criteria.blur': fail (50) must not be above 1; it is a share, 0 to 1 (line 7)",
        ),
        ("brightness = { doubt = 300, fail = 0 }", "doubt (300) must not be above 255"),
        (
            "[criteria.blur]\ndoubt = 0.5\nfail = 0.4",
            "fail (0.4) must not be below doubt (0.5) for an upper limit (line 8 and line 9)",
        ),
        ("brightness = { doubt = 1, fail = 5 }", "fail (5) must not be above doubt (1) for a lower limit (line 7)"),
        (
            "too_near = { doubt = 0.3, fail = 1 }\ntoo_far = { doubt = 0.4, fail = 0 }",
            "'criteria.too_far' (doubt below 0.4) contradicts 'criteria.too_near' (doubt above 0.3): "
            "no recording can be between (line 8 and line 7)",
        ),
        (
            "too_far = { doubt = 0.7, fail = 0 }",
            "contradicts 'criteria.too_near' (doubt above 0.6): no recording can be between (line 7 and the default)",
        ),
        ("brightnes = { doubt = 1, fail = 0 }", "'criteria.brightnes' is not known; did you mean 'brightness'?"),
        ("x = { doubt = 1, fail = 0 }", "'criteria.x' is not known; known here: duration_seconds, length_mismatch_"),
        ("[feedback]\nbrightnes = 'Turn on a light.'", "did you mean 'brightness'? (line 8)"),
    ],
)
def test_criteria_that_nothing_can_meet_are_refused_with_the_lines_that_say_so(criteria: str, message: str) -> None:
    with pytest.raises(InvalidTask) as told:
        parse_task(FOUR_LINES + "[criteria]\n" + criteria, complete=completed)
    assert message in str(told.value) and "\n" not in str(told.value)


def test_every_check_has_a_known_unit_and_a_default_that_is_not_refused() -> None:
    whole = TASK.model_copy(update={"criteria": effective_criteria(Criteria())})
    assert completed(TASK) == completed(whole) == whole
    assert {check.unit for check in BUILT_IN.values()} == set(Unit)
    assert all(check.upper in BUILT_IN for check in BUILT_IN.values() if check.upper)


def test_a_task_is_stored_with_the_thresholds_of_all_checks_and_written_with_its_own() -> None:
    own = Criteria.of({"blur": Thresholds(doubt=0.25, fail=0.75)}, {"table": Thresholds(doubt=-1, fail=-2)})
    stored = completed(TASK.model_copy(update={"criteria": own})).criteria
    assert list(stored.checks) == list(BUILT_IN) and stored.plugins == own.plugins
    assert limits_of(stored)["blur"].doubt == 0.25 and changed_criteria(stored) == own


def test_a_task_of_an_earlier_release_has_the_defaults_of_checks_that_it_did_not_know() -> None:
    content = TASK.model_dump(mode="json") | {"criteria": {"brightness": {"doubt": 40, "fail": -1}}}
    stored = Task.model_validate(content)
    limits = limits_of(stored.criteria)
    assert limits["too_far"] == BUILT_IN["too_far"].default and limits["brightness"].fail == -1


def test_a_task_has_the_hash_that_it_had_when_storage_knew_the_checks() -> None:
    """A check that is added changes it: recordings are judged by one criterion more, so the task is a new version."""
    hashed = "ff3e6d0b5461dc21e7e289807a48bcbe84e0ee7bb5db06cf1dc2ae398f2701c0"
    assert completed(TASK).content_sha256 == hashed
    known = hashlib.sha256(completed(TASK).criteria.model_dump_json().encode()).hexdigest()
    assert known == "b9079e8266e73e8bfa6efec59c70e971483e0787a834037f1041e0091904ecde"
