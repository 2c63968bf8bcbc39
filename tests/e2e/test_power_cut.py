"""The power is cut at every step of a recording's life: what was confirmed is whole, and nothing half is visible."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinesphere.objects import local_files
from tests.support.cut_life import live_through
from tests.support.cut_moments import told_of_changes
from tests.support.durable_steps import STEPS, do_step
from tests.support.flush_ledger import FlushLedger
from tests.support.power_cut import why_no_power_cut

pytestmark = pytest.mark.slow
IS_EVERY = "KINESPHERE_EVERY_CUT" in os.environ
MOST = 10**6 if IS_EVERY else 6
"""Moments of each step; before every change takes long, for a step has some hundreds."""
SECONDS = 12 * 3600 if IS_EVERY else 900
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[FlushLedger]:
    """A folder that knows what of it was flushed."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to read what was flushed")
    made = FlushLedger(tmp_path / "disk")
    yield made
    made.close()


@pytest.mark.timeout(SECONDS)
def test_what_was_confirmed_survives_the_worst_that_a_cut_may_leave(ledger: FlushLedger) -> None:
    live_through(ledger, most=MOST, say=print)


@pytest.mark.timeout(SECONDS)
def test_what_was_confirmed_survives_on_a_real_file_system(tmp_path: Path) -> None:
    reason = why_no_power_cut(tmp_path)
    if reason:
        pytest.skip(reason)
    command = [sys.executable, "-m", "tests.support.power_cut", str(tmp_path), str(MOST)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=SECONDS - 100, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(run.stdout.splitlines()) == len(STEPS)
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(tmp_path) not in mounts, "no mount is left"


@pytest.mark.parametrize("step", ["init", "record", "submit", "process", "publish"])
def test_a_cut_is_noticed_where_nothing_is_flushed(
    ledger: FlushLedger, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test of the test: without flushes, what is confirmed last is lost."""
    with told_of_changes(ledger.folder, lambda *, is_commit=False: None, ledger.flushed):
        for earlier in STEPS[: STEPS.index(step)]:
            do_step(ledger.folder, earlier)
    monkeypatch.setattr(local_files, "_flush", lambda descriptor: None)
    with pytest.raises(AssertionError, match="after a power cut"):
        live_through(ledger, most=1, steps=[step])
