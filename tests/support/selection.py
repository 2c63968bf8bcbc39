"""Which tests a newcomer waits for: chosen by what they cost and by the fixtures they need, not by hand.

`pytest --quick` runs a part of the suite that costs `BUDGET_SECONDS`, `pytest --rest` exactly the others, `pytest` all.
`pytest --record-costs` runs all and writes down what each test took, in `costs.json`; do that on an idle machine when
the suite has changed much.

Half of the budget goes to the cheapest tests, whatever they need. The other half is shared out evenly among the shared
fixtures (a real browser, a PostgreSQL, an S3 endpoint, the clip, a studio ...) and among the folders whose tests share
none: so each real part runs some of its tests, dear ones too.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

COSTS = Path(__file__).with_name("costs.json")
BUDGET_SECONDS = 480.0
"""Of processor time on the machine that recorded the costs; two tests run at a time."""
CHEAP_SECONDS = 0.1
"""What a test is taken to cost that is not written down: it is cheap, or new."""
LEAST_SECONDS = 0.3
"""Cheaper tests are not written down."""


def chosen(costs: Mapping[str, float], needs: Mapping[str, Iterable[str]], budget: float) -> set[str]:
    """Choose the tests of the quick part.

    Args:
        costs: seconds by test.
        needs: the groups that each test belongs to: the shared fixtures it uses, or its folder.
        budget: seconds that all chosen ones may cost together.

    Returns:
        The tests chosen: the same ones for the same costs, in whatever order they are given.
    """
    quick: set[str] = set()
    spent = 0.0
    for test in sorted(costs, key=lambda test: (costs[test], test)):
        if spent + costs[test] > budget / 2:
            break
        quick.add(test)
        spent += costs[test]
    groups: dict[str, list[str]] = defaultdict(list)
    for test, names in needs.items():
        for name in names:
            groups[name].append(test)
    share = (budget - spent) / max(1, len(groups))
    for name in sorted(groups):
        remaining = share
        for test in sorted(groups[name], key=_shuffled):
            if test not in quick and costs[test] <= remaining:
                quick.add(test)
                remaining -= costs[test]
    return quick


def _shuffled(test: str) -> str:
    """A key that puts tests in an order that has nothing to do with where they stand."""
    return hashlib.sha256(test.encode()).hexdigest()


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave in `items` what `--quick` or `--rest` asks for."""
    is_quick, is_rest = config.getoption("--quick"), config.getoption("--rest")
    if is_quick == is_rest:
        return
    known: dict[str, float] = json.loads(COSTS.read_text()) if COSTS.exists() else {}
    costs = {item.nodeid: known.get(item.nodeid, CHEAP_SECONDS) for item in items}
    quick = chosen(costs, {item.nodeid: _groups(item) for item in items}, BUDGET_SECONDS)
    config.hook.pytest_deselected(items=[item for item in items if (item.nodeid in quick) != is_quick])
    items[:] = [item for item in items if (item.nodeid in quick) == is_quick]


def _groups(item: pytest.Item) -> Sequence[str]:
    definitions: Mapping[str, Sequence[pytest.FixtureDef[object]]] = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]
    shared = [name for name, found in definitions.items() if found[-1].scope in ("session", "module")]
    return shared or [str(item.path.parent)]


class CostRecorder:
    """Writes down what each test took, its set-up and what it takes down included."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of a test."""
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        dear = {test: round(seconds, 1) for test, seconds in self._seconds.items() if seconds >= LEAST_SECONDS}
        COSTS.write_text(json.dumps(dict(sorted(dear.items())), indent=0) + "\n")
