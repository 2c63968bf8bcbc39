"""Work that does harm in its process: it is told why it failed, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinesphere.errors import InvalidInput
from pose.engines.isolation import Limits, WorkFailed, WorkProcess, WorkProcesses
from pose.engines.threads_engine import Threads
from tests.support import harmful_work as harmful
from tests.support.harmful_work import GIGABYTE
from tests.support.other_processes import is_running, noted_processes, wait_until_gone

ROOT = Path(__file__).parents[3]


def uncounted(_frames: int = 1) -> None:
    """Nobody counts."""


@pytest.fixture
def process() -> Iterator[WorkProcess]:
    started = WorkProcess()
    yield started
    started.close()


def why(process: WorkProcess, work: object, item: object, *, seconds: float = 300, memory: float = 2) -> str:
    """How a piece of work fails there, after which the process is gone."""
    with pytest.raises(WorkFailed) as failed:
        process.run(work, item, uncounted, memory_bytes=round(memory * GIGABYTE), seconds=seconds)  # type: ignore[arg-type]
    assert not process.is_alive
    return str(failed.value)


def test_one_process_does_one_piece_of_work_after_another_and_counts_frames(process: WorkProcess) -> None:
    counted: list[int] = []

    def count(frames: int = 1, /) -> None:
        counted.append(frames)

    process.begin(harmful.stumble, "while it loaded")  # whatever comes of it
    for number in (3, 5):
        result = process.run(harmful.square, number, count, memory_bytes=2 * GIGABYTE, seconds=300)
        assert result == number * number
    assert process.run(harmful.after_frames, (4, 0.15), count, memory_bytes=GIGABYTE, seconds=300) == 4
    assert 1 <= sum(counted) <= 12 and 0 in counted, "frames are told now and then, and it is asked all the time"
    first = process.run(harmful.who, None, uncounted, memory_bytes=GIGABYTE, seconds=300)
    assert first == process.run(harmful.who, None, uncounted, memory_bytes=GIGABYTE, seconds=300) != os.getpid()


def test_a_crash_is_told_by_its_signal(process: WorkProcess) -> None:
    assert why(process, harmful.crash, harmful.SEGFAULT) == "what reads or extracts it crashed (SIGSEGV)"


@pytest.mark.parametrize(
    ("work", "item", "words"),
    [
        (harmful.crash, int(signal.SIGKILL), "was killed (SIGKILL), as the system does when memory runs out"),
        (harmful.leave, 3, "its process ended without a result (exit code 3)"),
        (harmful.stumble, "no such column", "ValueError: no such column"),
        (harmful.ask_for, 64 * GIGABYTE, "it needed more than 2 GB of memory"),
    ],
)
def test_each_way_to_fail_has_its_words(process: WorkProcess, work: object, item: object, words: str) -> None:
    assert words in why(process, work, item)


def test_an_error_of_ours_comes_through_as_it_is(process: WorkProcess) -> None:
    with pytest.raises(InvalidInput, match=r"^mend the file$"):
        process.run(harmful.refuse, "mend the file", uncounted, memory_bytes=GIGABYTE, seconds=300)


def test_what_takes_memory_without_end_is_ended_while_the_rest_goes_on(process: WorkProcess) -> None:
    assert why(process, harmful.eat, 3 * GIGABYTE, memory=0.4) == "it needed more than 0.4 GB of memory"


def test_what_takes_for_ever_is_ended(process: WorkProcess) -> None:
    began = time.monotonic()
    assert why(process, harmful.sleep, 600, seconds=1) == "it took longer than 1 seconds"
    assert time.monotonic() - began < 60


def test_a_process_is_used_again_unless_it_failed_or_holds_too_much() -> None:
    processes = WorkProcesses()

    def run(work: object, item: object) -> object:
        with processes.borrowed() as process:
            return process.run(work, item, uncounted, memory_bytes=GIGABYTE, seconds=300)  # type: ignore[arg-type]

    first = run(harmful.who, None)
    assert run(harmful.who, None) == first
    assert run(harmful.hold, 600 << 20) == first
    second = run(harmful.who, None)
    assert second != first
    with pytest.raises(WorkFailed):
        run(harmful.crash, harmful.SEGFAULT)
    third = run(harmful.who, None)
    assert third != second
    os.kill(int(str(third)), signal.SIGKILL)  # while nothing is asked of it
    wait_until_gone([int(str(third))])
    fourth = run(harmful.who, None)
    assert fourth != third
    processes.end_idle()
    wait_until_gone([int(str(number)) for number in (first, second, third, fourth)])


def test_time_grows_with_the_recording() -> None:
    limits = Limits(least_seconds=60, seconds_per_frame=0.5)
    assert [limits.seconds_for(frames) for frames in (1, 120, 1000)] == [60, 60, 500]
    assert Limits(seconds=7).seconds_for(10**6) == 7


def test_who_stops_an_engine_does_not_wait_for_work_that_hangs() -> None:
    """Work that counts no frame is asked about all the same."""
    processes = WorkProcesses()
    started: list[int] = []

    def work(item: int, on_frame: object) -> int:
        with processes.borrowed() as process:
            started.append(process.run(harmful.who, None, uncounted, memory_bytes=GIGABYTE, seconds=300))
            seconds = 600 if item else 0
            process.run(harmful.sleep, seconds, on_frame, memory_bytes=GIGABYTE, seconds=900)  # type: ignore[arg-type]
        return item

    began = time.monotonic()
    results = iter(Threads(2).run(work, [1, 0], uncounted))
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # a generator
    assert time.monotonic() - began < 120
    processes.end_idle()
    wait_until_gone(started)


def test_what_is_printed_there_stays_out_of_what_is_printed_here(capfd: pytest.CaptureFixture[str]) -> None:
    process = WorkProcess()
    assert process.run(harmful.print_much, None, uncounted, memory_bytes=GIGABYTE, seconds=300) == "done"
    process.close()
    assert "looking" not in capfd.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread watches, which needs the interpreter")
def test_who_is_killed_takes_along_even_what_hangs_holding_the_interpreter(tmp_path: Path) -> None:
    note = tmp_path / "processes"
    code = (
        "import sys; from pathlib import Path\n"
        "from pose.engines.isolation import WorkProcess\n"
        "from tests.support import harmful_work as harmful\n"
        "note = Path(sys.argv[1])\n"
        "WorkProcess().run(harmful.hang, note, lambda frames=1: None, memory_bytes=1 << 30, seconds=900)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(note)], cwd=ROOT)
    processes = noted_processes(note, parent)
    assert all(map(is_running, processes))
    parent.kill()
    parent.wait()
    wait_until_gone(processes)
