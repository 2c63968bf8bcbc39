"""Frames without what is asked for are masked, and windows with too few others are left out."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kinesphere import DropInvalid, RelativeActions, Valid
from kinesphere.dataset import Dataset
from kinesphere.errors import InvalidInput
from kinesphere.transforms.transform import Batch
from tests.support.transform_inputs import unchanged


def test_frames_without_what_is_asked_are_masked_and_windows_with_too_few_go(batches: list[Batch]) -> None:
    bits = Valid.BODY | Valid.RIGHT_HAND
    shares = []
    for batch in batches:
        there = batch["mask"] & ((batch["valid"] & bits) == bits)
        shares.append(there.sum(axis=1) / batch["mask"].sum(axis=1))
        for least in (0.0, 0.5, 1.0):
            found = unchanged(DropInvalid(bits, least), batch)
            stay = shares[-1] >= least
            np.testing.assert_array_equal(found["episode"], batch["episode"][stay])
            np.testing.assert_array_equal(found["mask"], there[stay])
            for name, values in found.items():
                if values.dtype != np.float32:
                    continue
                assert np.isnan(values[~found["mask"]]).all()
                np.testing.assert_array_equal(values[found["mask"]], batch[name][stay][found["mask"]])
            np.testing.assert_array_equal(found["timestamp"], batch["timestamp"][stay])
            np.testing.assert_array_equal(found["valid"], batch["valid"][stay])
    counts = [sum((share >= least).sum() for share in shares) for least in (0.0, 0.5, 1.0)]
    assert all(more > fewer for more, fewer in pairwise(counts)), counts


def test_a_share_of_exactly_the_least_stays_and_padding_is_no_fault() -> None:
    valid = np.zeros((3, 20), np.uint8)
    valid[0, :11], valid[1, :10], valid[2] = 1, 1, 1
    mask = np.ones((3, 20), np.bool_)
    mask[2, 11:] = False
    batch: dict[str, NDArray[Any]] = {"valid": valid, "mask": mask}
    assert len(DropInvalid(Valid.BODY, 0.55)(batch)["mask"]) == 2
    np.testing.assert_array_equal(DropInvalid(Valid.BODY)(batch)["mask"], mask[2:])
    assert len(DropInvalid(Valid.UNSURE)(batch)["mask"]) == 0
    with pytest.raises(InvalidInput, match="needs valid"):
        DropInvalid(Valid.BODY)({"mask": mask})
    for wrong in ((Valid(0), 1.0), (Valid.BODY, 1.5), (Valid.BODY, -0.1)):
        with pytest.raises(InvalidInput):
            DropInvalid(*wrong)


def test_actions_of_one_frame_stay_with_their_windows(kitchen: Dataset) -> None:
    options: dict[str, Any] = {"history": 2, "future": 3, "stride": 5}
    keys = ["wrist_pose", "valid"]
    actions = RelativeActions(3, at=2)
    plain = next(iter(kitchen.stream(1, 60, keys, transform=actions, **options)))
    found = next(iter(kitchen.stream(1, 60, keys, transform=[actions, DropInvalid(Valid.BODY, 0.5)], **options)))
    place = {(int(e), int(f)): row for row, (e, f) in enumerate(zip(plain["episode"], plain["frame"], strict=True))}
    rows = [place[int(e), int(f)] for e, f in zip(found["episode"], found["frame"], strict=True)]
    assert 0 < len(rows) < 60
    np.testing.assert_array_equal(found["action"], plain["action"][rows])
