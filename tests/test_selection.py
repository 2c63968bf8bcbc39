"""The part of the suite that `make test` runs: within its budget, with something of everything, the same each time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.selection import chosen

GROUPS = ("browser", "postgres_url", "body_clip", "tests/pose")
suites = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=4),
    st.tuples(st.floats(0.1, 60), st.sets(st.sampled_from(GROUPS), min_size=1)),
    min_size=1,
    max_size=60,
)


@given(suites, st.floats(1, 500))
def test_the_quick_part_keeps_to_its_budget_and_does_not_depend_on_the_order(
    suite: dict[str, tuple[float, set[str]]], budget: float
) -> None:
    costs = {test: cost for test, (cost, _) in suite.items()}
    needs = {test: groups for test, (_, groups) in suite.items()}
    quick = chosen(costs, needs, budget)
    assert sum(costs[test] for test in quick) <= budget * (1 + 1e-9)
    backwards = dict(reversed(costs.items())), {test: sorted(groups)[::-1] for test, groups in needs.items()}
    assert chosen(*backwards, budget) == quick


def test_each_shared_fixture_has_tests_in_the_quick_part_however_dear_they_are() -> None:
    costs = {f"cheap {number}": 0.1 for number in range(1000)}
    needs: dict[str, list[str]] = {test: ["tests/kinesphere"] for test in costs}
    for group in ("browser", "clip", "postgres"):
        for number in range(20):
            costs[f"{group} {number}"] = 8.0
            needs[f"{group} {number}"] = [group]
    quick = chosen(costs, needs, 200)
    assert {test for test in costs if test.startswith("cheap")} <= quick
    assert {test.split()[0] for test in quick} == {"cheap", "browser", "clip", "postgres"}


def test_what_everything_costs_less_than_the_budget_is_all_quick() -> None:
    costs = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert chosen(costs, {test: ["browser"] for test in costs}, 100) == set(costs)
