"""Weights by expressions over the columns of episodes."""

from typing import Any

import numpy as np
import pytest

from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.training.weight_expression import weights_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("length", lambda length, pour: length),
        ("1 / length", lambda length, pour: 1 / length),
        ("sqrt(length) * 2 + 1 - 0.5", lambda length, pour: np.sqrt(length) * 2 + 0.5),
        ("-(3 - length)", lambda length, pour: length - 3),
        ("case when label = 'pour' then 3 else 1 end", lambda length, pour: np.where(pour, 3, 1)),
        ("case when label = 'pour' and length > 100 then length when length < 50 then 7 else 0 end",
         lambda length, pour: np.where(pour & (length > 100), length, np.where(length < 50, 7, 0))),
        ("2", lambda length, pour: np.full(len(length), 2)),
        ("1 / 2", lambda length, pour: np.full(len(length), 0.5)),
    ],
)  # fmt: skip
def test_expressions_are_worked_out(kitchen: Dataset, text: str, expected: Any) -> None:
    length = kitchen.episodes["length"].to_numpy().astype(np.float64)
    pour = np.array([label == "pour" for label in kitchen.episodes["label"].to_pylist()])
    np.testing.assert_allclose(weights_of(text, kitchen.episodes), expected(length, pour))


def test_a_missing_label_is_neither(kitchen: Dataset) -> None:
    found = weights_of("case when label != 'pour' then 1 end", kitchen.episodes)
    labels = kitchen.episodes["label"].to_pylist()
    assert [bool(np.isnan(value)) for value in found] == [label in (None, "pour") for label in labels]


def test_windows_are_drawn_by_them(kitchen: Dataset) -> None:
    text = "case when label = 'pour' then 1 else 0 end"
    stream = kitchen.stream(16, 20, ["valid"], shuffle=True, weight=text)
    pour = [row for row, label in enumerate(kitchen.episodes["label"].to_pylist()) if label == "pour"]
    assert {int(row) for batch in stream for row in batch["episode"]} == set(pour)
    assert stream.state_dict()["weight"] == text
    with pytest.raises(InvalidInput, match="weight was"):
        kitchen.stream(16, 20, ["valid"], shuffle=True, weight="length").load_state_dict(stream.state_dict())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lenght * 2", "cannot weight by 'lenght'; the columns are"),
        ("label * 2", "which holds string"),
        ("length ** 2", "may hold"),
        ("(select 1)", "is not understood"),
        ("length +", "cannot be read"),
        ("'a'", "is not understood"),
        ("case length when 1 then 2 end", "is not understood"),
        ("case when nothing = 1 then 2 end", "no column 'nothing'"),
        ("1 / (length - length)", "weight inf"),
        ("length - 100000", "at least 0"),
    ],
)
def test_what_is_no_weight_is_refused(kitchen: Dataset, text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        kitchen.stream(16, 20, ["valid"], shuffle=True, weight=text)
