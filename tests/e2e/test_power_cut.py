"""The power is cut at every step of a recording's life: what was confirmed is whole, and nothing half is visible."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.durable_steps import STEPS, check_and_repeat, do_step
from tests.support.power_cut import UnflushedDisk, run_there, why_no_power_cut

pytestmark = pytest.mark.slow
EVERY_CUT = "KINESPHERE_EVERY_CUT" in os.environ
"""Before each change, which takes long: a step has up to some hundreds."""
CUTS = 8
"""Moments otherwise, evenly over the step; the last is right after it has ended."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where disks lie, and what they held between the steps."""
    home = tmp_path_factory.mktemp("power")
    reason = why_no_power_cut(home)
    if reason:
        pytest.skip(reason)
    return home


@pytest.fixture
def disk(home: Path) -> Iterator[UnflushedDisk]:
    """A disk that is not mounted."""
    made = UnflushedDisk(home)
    yield made
    if made.folder.is_mount():
        made.unmount()


def before(disk: UnflushedDisk, step: str) -> Path:
    """The disk as it is when all steps before one are done and flushed."""
    saved = disk.home / f"before-{step}.img"
    if saved.exists():
        return saved
    number = STEPS.index(step)
    if number:
        disk.load(before(disk, STEPS[number - 1]))
        disk.mount()
        run_there(do_step, disk.folder, STEPS[number - 1])
        disk.unmount()
    else:
        disk.format()
    disk.save(saved)
    return saved


@pytest.mark.timeout(900)
@pytest.mark.parametrize("step", STEPS)
def test_what_was_confirmed_survives_a_power_cut_at_any_moment(disk: UnflushedDisk, step: str) -> None:
    start, earlier = before(disk, step), STEPS[: STEPS.index(step)]
    disk.load(start)
    disk.mount()
    changes = run_there(do_step, disk.folder, step, disk=disk.folder).changes
    disk.unmount()
    assert changes > CUTS, "it can be cut at many moments"
    for number in range(changes + 1) if EVERY_CUT else sorted({*range(0, changes, changes // CUTS), changes}):
        disk.load(start)
        disk.mount()
        run = run_there(do_step, disk.folder, step, cut_at=number, disk=disk.folder)
        if not run.is_cut:
            disk.cut_power()  # at once after it was confirmed
        disk.unmount()
        disk.mount()
        run_there(check_and_repeat, disk.folder, step, earlier if run.is_cut else (*earlier, step))
        disk.unmount()
