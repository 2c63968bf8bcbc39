"""A task's criteria held against the checks that there are: defaults filled in, mistakes refused."""

from __future__ import annotations

import difflib

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.limits import HIGHEST, Limit, Unit
from storage.tasks.criteria import Contradiction, Criteria, Thresholds
from storage.tasks.task import Task


def limits_of(criteria: Criteria) -> dict[str, Limit]:
    """The limits of all built-in checks.

    Args:
        criteria: of a task; what they do not set has its default.

    Returns:
        By name, in the order in which the checks are judged.

    Raises:
        ValueError: thresholds are the wrong way round for their check, which `completed` does not let in.
    """
    return {name: limit_of(criteria, name) for name in BUILT_IN}


def limit_of(criteria: Criteria, check: str) -> Limit:
    """The limit of one built-in check.

    Args:
        criteria: of a task.
        check: the name of a built-in check.

    Returns:
        The task's thresholds, or the default ones, with the check's direction.

    Raises:
        ValueError: the thresholds are the wrong way round; see `limits_of`.
    """
    thresholds = criteria.checks.get(check)
    if thresholds is None:
        return BUILT_IN[check].default
    return Limit.of(BUILT_IN[check].direction, thresholds)


def effective_criteria(criteria: Criteria) -> Criteria:
    """Criteria with the thresholds of every built-in check.

    Args:
        criteria: of a task, which may have been stored before there were some of the checks.

    Returns:
        All that recordings are judged by, in the order of the checks.
    """
    thresholds = {name: criteria.checks.get(name, check.default.thresholds) for name, check in BUILT_IN.items()}
    return Criteria.of(thresholds, criteria.plugins)


def changed_criteria(criteria: Criteria) -> Criteria:
    """Criteria without what is as by default: what the author of a task has to write.

    Args:
        criteria: of a task.

    Returns:
        Those that differ.
    """
    usual = {name: check.default.thresholds for name, check in BUILT_IN.items()}
    changed = {name: value for name, value in criteria.checks.items() if usual.get(name) != value}
    return Criteria.of(changed, criteria.plugins)


def completed(task: Task) -> Task:
    """A task as it is stored: with the thresholds of every built-in check, so that it says what it is judged by.

    Args:
        task: as its author wrote it.

    Returns:
        The same with complete criteria.

    Raises:
        Contradiction: criteria or feedback are for no check, or thresholds are outside what their unit can be, the
            wrong way round, or such that no recording can meet them; the first that is found.
    """
    _refuse_unknown(task)
    limits = {name: _checked_limit(name, thresholds) for name, thresholds in task.criteria.checks.items()}
    for name, limit in limits.items():
        _refuse_impossible(name, limit, BUILT_IN[name].unit)
    complete = effective_criteria(task.criteria)
    _refuse_unmeetable(complete)
    return task.model_copy(update={"criteria": complete})


def _refuse_unknown(task: Task) -> None:
    for name in task.criteria.checks:
        if name not in BUILT_IN:
            known = [*BUILT_IN, "plugins"]
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
            raise Contradiction(f"'criteria.{name}' is not known; {meant}", ("criteria", name))
    for name in task.feedback:
        close = difflib.get_close_matches(name, BUILT_IN, n=1, cutoff=0.85)
        if close and name not in BUILT_IN:
            raise Contradiction(f"feedback '{name}' is for no check; did you mean '{close[0]}'?", ("feedback", name))


def _checked_limit(name: str, thresholds: Thresholds) -> Limit:
    try:
        return Limit.of(BUILT_IN[name].direction, thresholds)
    except ValueError as error:
        place = ("criteria", name)
        raise Contradiction(f"'criteria.{name}': {error}", (*place, "doubt"), (*place, "fail")) from error


def _refuse_impossible(name: str, limit: Limit, unit: str) -> None:
    highest = HIGHEST.get(Unit(unit)) if unit in set(Unit) else None
    for key, value in (("doubt", limit.doubt), ("fail", limit.fail)):
        place = ("criteria", name, key)
        if value < 0:
            raise Contradiction(f"'criteria.{name}': {key} ({value:g}) must not be negative", place)
        if highest is not None and value > highest:
            raise Contradiction(
                f"'criteria.{name}': {key} ({value:g}) must not be above {highest:g}; it is a {unit}", place
            )


def _refuse_unmeetable(criteria: Criteria) -> None:
    """Look for two checks of one value, from below and from above, between which there is nothing."""
    limits = limits_of(criteria)
    for lower, upper in ((check.name, check.upper) for check in BUILT_IN.values() if check.upper):
        for key in ("doubt", "fail"):
            least, most = getattr(limits[lower], key), getattr(limits[upper], key)
            if least > most:
                raise Contradiction(
                    f"'criteria.{lower}' ({key} below {least:g}) contradicts 'criteria.{upper}' "
                    f"({key} above {most:g}): no recording can be between",
                    ("criteria", lower),
                    ("criteria", upper),
                )
