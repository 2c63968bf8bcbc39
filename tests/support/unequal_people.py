"""People whose recordings get more or less: trajectories with a chosen uncertainty, of whom chosen shares are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kinesphere.trajectory import Trajectory, Valid
from storage.catalog import Attributes
from tests.support.populated_workspaces import add_recording
from tests.support.submitted_takes import TASK

if TYPE_CHECKING:
    from storage.workspace import Workspace


@dataclass(frozen=True)
class Gets:
    """What the frames of a person get; shares are of the first frames of each recording."""

    wrist_sd: float | None = 0.02
    """Metres; None for trajectories of earlier releases, which do not state it."""
    body: float = 1.0
    left_hand: float = 0.9
    right_hand: float = 0.9
    unsure: float = 0.0

    def changed(self, trajectory: Trajectory) -> Trajectory:
        """A generated trajectory, with `valid` and the uncertainty of its wrists made so."""
        arrays, frames = dict(trajectory.arrays), len(trajectory)
        valid = np.zeros(frames, np.uint8)
        for flag in (Valid.BODY, Valid.LEFT_HAND, Valid.RIGHT_HAND, Valid.UNSURE):
            share: float = getattr(self, str(flag.name).lower())
            valid[: round(share * frames)] |= np.uint8(flag)
        arrays["valid"] = valid
        if self.wrist_sd is not None:
            sd = arrays["wrist_pose_sd"].copy()
            there = np.isfinite(sd[..., :3]).all(axis=-1)
            sd[there, :3] = self.wrist_sd / np.sqrt(3)  # the three together are as long as it says
            arrays["wrist_pose_sd"] = sd
        return replace(trajectory, arrays=arrays)


def two_groups(worse: Gets, *, each: int = 6) -> dict[str, tuple[str, Gets]]:
    """Left-handed people, who get what is given, and right-handed ones; each person a little different."""
    people = {}
    for number in range(each):
        for hand, gets in (("left", worse), ("right", Gets())):
            sd = None if gets.wrist_sd is None else gets.wrist_sd * (0.92 + 0.16 * number / max(1, each - 1))
            people[f"{hand[0]}{number:03d}"] = (hand, replace(gets, wrist_sd=sd))
    return people


def fill_unequal(workspace: Workspace, people: Mapping[str, tuple[str, Gets]], *, frames: int = 60) -> None:
    """Enrol people with one accepted recording each, and what they say of their hands."""
    workspace.catalog.add_task(TASK)
    for seed, (person, (hand, gets)) in enumerate(people.items()):
        workspace.catalog.add_contributor(person)
        sure = gets.wrist_sd is not None
        add_recording(workspace, person, seed=seed, frames=frames, with_sd=sure, changed=gets.changed)
        Attributes(workspace.catalog).describe(person, {"handedness": hand})
