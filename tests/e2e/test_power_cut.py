"""The power is cut at every step of a recording's life: what was confirmed is whole, and nothing half is visible."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.durable_steps import STEPS, check_and_repeat, do_step
from tests.support.power_cut import CUT, UnflushedDisk, run_there, why_no_power_cut

pytestmark = pytest.mark.slow


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
    start, earlier, code, cuts = before(disk, step), STEPS[: STEPS.index(step)], CUT, count()
    while code == CUT:
        number = next(cuts)
        disk.load(start)
        disk.mount()
        code = run_there(do_step, disk.folder, step, cut_at=number, disk=disk.folder)
        if code == 0:
            disk.cut_power()
        disk.unmount()
        disk.mount()
        done = (*earlier, step) if code == 0 else earlier
        run_there(check_and_repeat, disk.folder, step, done)
        disk.unmount()
    assert number > 3, "it was cut at several moments"
