"""Twenty whole lives with faults, as the bench lives them; and that it finds what is broken on purpose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.faults.life_plan import FAULTS, PLACES, plan_life

ROOT = Path(__file__).parents[2]
SECONDS = 1500
"""Of twenty lives on a machine that does other work; alone they take a minute."""
BREAK = {
    "a video is stored without its end": (
        """
from kinesphere.objects.store import Objects
put_all = Objects.put_all
def short(self, contents, **how):
    cut = {key: data.read_bytes()[:-1] for key, data in contents.items() if key.endswith("video.mp4")}
    put_all(self, contents | cut, **how)
Objects.put_all = short
""",
        "confirmed and whole: the video of",
    ),
    "an event is not written": (
        """
from storage.catalog import state_machine, recording_entries
def silent(recording, who, now, to, why):
    return event(recording, who, now, to, "")
event = state_machine.new_event
state_machine.new_event = silent
""",
        "legal states, explained events",
    ),
    "the index of duplicates is forgotten": (
        """
from studio.pipeline import withdrawal
withdrawal._forget_fingerprints = lambda workspace, recordings: None
""",
        "nothing of the erased: the index of duplicates finds",
    ),
    "trajectories are moved by a millimetre": (
        """
from storage.shards import shard_writer
from benchmarks.faults import life_steps
write = shard_writer.write_shard
def moved(objects, trajectories):
    for trajectory in trajectories:
        trajectory.arrays["wrist_pose"] += 0.001
    return write(objects, trajectories)
life_steps.write_shard = moved
""",
        "processed and published: the newest version cannot be read as it was extracted",
    ),
}


def lived(*words: str, before: str = "", code: int = 0) -> str:
    """What the bench prints, run to its end; `before` is run in its process first."""
    script = f"{before}\nimport sys\nfrom benchmarks.faults.__main__ import main\nsys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", script, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=SECONDS - 30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
    assert process.returncode == code, printed
    return printed


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_nothing_breaks_in_twenty_lives() -> None:
    assert "20 lives" in lived("--seeds", "20")


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("broken", BREAK)
def test_what_is_broken_on_purpose_is_found(broken: str) -> None:
    code, words = BREAK[broken]
    printed = lived("--seeds", "3", "--place", "folder", before=code, code=1)
    assert words in printed


def test_a_seed_is_always_the_same_life_and_all_faults_come_up_everywhere_they_can() -> None:
    assert plan_life(7, places=PLACES) == plan_life(7, places=PLACES) != plan_life(8, places=PLACES)
    plans = [plan_life(seed, places=PLACES) for seed in range(400)]
    struck = Counter((plan.place, step.fault) for plan in plans for step in plan.steps if step.fault)
    assert {fault for _, fault in struck} == set(FAULTS)
    assert {place for place, _ in struck} == set(PLACES)
    assert ("folder", "store-errors") not in struck and ("cloud", "power-cut") not in struck
    only = plan_life(3, places=["folder"], only=["kill"])
    assert {step.fault for step in only.steps} <= {"kill", None}


OTHER_MOUNTS = """
import os, subprocess, sys
from pathlib import Path
from benchmarks.faults import life_isolation
from benchmarks.faults.life_disks import LifeDisk
ready, asked = os.pipe(), os.pipe()
if not os.fork():  # as test_power_cut does at the same time
    os.close(asked[1])  # it ends when we do
    os.read(asked[0], 1)
    life_isolation.ctypes.CDLL(None).unshare(life_isolation._NEW_MOUNTS)
    os.write(ready[1], b"x")
    os.read(asked[0], 1)
    os._exit(0)
home = Path(sys.argv[1])
life_isolation.have_own_mounts()
(home / "disk").mkdir()
disk = LifeDisk.on_device(home / "disk", home / "image")
if disk is None or not disk.mount():
    sys.exit("no disk")
os.write(asked[1], b"x")
os.read(ready[0], 1)
disk.cut_power()
disk.come_back()
(disk.folder / "file").write_text("it is a disk again")
disk.unmount()
os.write(asked[1], b"x")
"""


def test_a_disk_whose_power_was_cut_comes_back_while_others_have_copied_all_mounts(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", OTHER_MOUNTS, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "no disk" in run.stderr:
        pytest.skip("needs root on Linux, to mount a disk")
    assert run.returncode == 0, run.stderr
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_each_life_has_an_address_of_its_own() -> None:
    script = "from benchmarks.faults.life_isolation import own_address; print(own_address())"
    found = {
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    }
    assert len(found) == (3 if sys.platform == "linux" else 1)
