"""How evenly something is spread over groups: effective numbers, shares of the largest, and what would help.

The effective number of groups is how many equally large ones would be as diverse as those that are there. Of order 1
it is the exponential of Shannon's entropy, of order 2 the inverse of Simpson's index: M. O. Hill, "Diversity and
evenness: a unifying notation and its consequences", Ecology 54 (1973); L. Jost, "Entropy and diversity", Oikos 113
(2006). Order 2 minds the largest groups more, and is never above order 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from kinesphere.errors import InvalidInput
from kinesphere.splits import read_rule


def shares_of(amounts: ArrayLike) -> NDArray[np.float64]:
    """What share of the whole each group has, float64 `[n]`, largest first; groups that have nothing are left out.

    Raises:
        InvalidInput: an amount is negative or no number.
    """
    values = np.asarray(amounts, np.float64).ravel()
    if not np.isfinite(values).all() or (values < 0).any():
        raise InvalidInput("amounts are finite and not negative")
    values = np.sort(values[values > 0])[::-1]
    # the largest first: a sum of tiny numbers must not become 0 or infinite
    scaled = values / values[0] if len(values) else values
    return np.asarray(scaled / scaled.sum()) if len(values) else values


def effective_number(amounts: ArrayLike, order: int) -> float:
    """The Hill number of order 1 (exponential of Shannon entropy) or 2 (inverse Simpson) of amounts `[n]`; 0 of none.

    Args:
        amounts: of each group, not negative.
        order: 1 or 2.

    Returns:
        As many groups of equal size would be as diverse.

    Raises:
        InvalidInput: the order is another, or an amount is negative.
    """
    shares = shares_of(amounts)
    if order not in (1, 2):
        raise InvalidInput(f"the order of an effective number is 1 or 2, not {order}")
    if not len(shares):
        return 0.0
    if order == 2:
        return float(1 / np.square(shares).sum())
    there = shares[shares > 0]  # a share may be too small for a number
    return float(np.exp(-(there * np.log(there)).sum()))


def top_share(amounts: ArrayLike, percent: float) -> float:
    """The share that the largest `percent` % of the groups have, at least one group; 0 if there is none.

    Args:
        amounts: of each group, not negative.
        percent: above 0 and up to 100.

    Returns:
        0..1.
    """
    shares = shares_of(amounts)
    return float(shares[: max(1, math.ceil(len(shares) * percent / 100 - 1e-9))].sum())


def seconds_by(episodes: pa.Table, column: str) -> dict[str, float]:
    """Seconds of the episodes by the values of a column; a missing value is the empty name."""
    times = pa.table(
        {"group": pc.fill_null(episodes[column], ""), "ns": pc.subtract(episodes["end_ns"], episodes["start_ns"])}
    )
    sums = times.group_by("group").aggregate([("ns", "sum")]).sort_by("group")
    return {name: ns / 1e9 for name, ns in zip(sums["group"].to_pylist(), sums["ns_sum"].to_pylist(), strict=True)}


def diversity_numbers(amounts: Sequence[float]) -> dict[str, float]:
    """The numbers of a spread under their names, as reports and manifests hold them."""
    shares = shares_of(amounts)
    return {
        "effective_shannon": round(effective_number(amounts, 1), 4),
        "effective_simpson": round(effective_number(amounts, 2), 4),
        "largest_share": round(float(shares[0]) if len(shares) else 0.0, 6),
        "top_1_percent_share": round(top_share(amounts, 1), 6),
        "top_10_percent_share": round(top_share(amounts, 10), 6),
    }


def manifest_summary(episodes: pa.Table, splits: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a manifest says about how the hours of its episodes are spread: numbers alone, no ids.

    Args:
        splits: the rule by which it is split, as the manifest holds it.
    """
    spread: Mapping[str, str] = {"contributors": "contributor", "tasks": "task"}
    summary: dict[str, Any] = {
        name: diversity_numbers(list(seconds_by(episodes, column).values())) for name, column in spread.items()
    }
    if splits is not None:
        rule = read_rule(splits)
        counted = episodes.select(["contributor", "start_ns", "end_ns"])
        parts = {name: counted.take(pa.array(rule.rows(episodes, name))) for name in rule.names}
        summary["splits"] = {
            name: {
                "contributors": pc.count_distinct(part["contributor"]).as_py(),
                "episodes": part.num_rows,
                "seconds": sum(seconds_by(part, "contributor").values()),
            }
            for name, part in parts.items()
        }
    return summary


def contributors_needed(amounts: ArrayLike, least: float) -> int:
    """How many more groups of the mean amount raise the effective number of order 2 to `least`."""
    values = np.asarray(amounts, np.float64)
    if not len(values):
        return math.ceil(least)
    mean, total, squares = float(values.mean()), float(values.sum()), float(np.square(values).sum())
    # (total + n mean)^2 = least (squares + n mean^2) is quadratic in n
    middle, last = 2 * total * mean - least * mean**2, total**2 - least * squares
    root = (-middle + math.sqrt(max(0.0, middle**2 - 4 * mean**2 * last))) / (2 * mean**2)
    return max(0, math.ceil(root - 1e-9))
