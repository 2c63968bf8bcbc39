"""The process in which work on recordings runs: `python -m pose.engines.work_process JOBS RESULTS`, two pipes.

It is started by `isolation.WorkProcess`, takes one job after another, and ends with whoever started it.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kinesphere.errors import KinesphereError
from pose.engines.lifeline import end_with_parent

FRAMES, DONE, REFUSED, FAILED, NO_MEMORY = "frames", "done", "refused", "failed", "no memory"
"""What is told: frames done since the last time; the result; the error that the work has explained; why there is no
result; that memory was refused."""
_TELL_SECONDS = 0.1
"""How often frames are told of."""
_OOM_SCORE = "500"
"""Where memory runs out, Linux ends processes like this one before others."""


def main(jobs_pipe: int, results_pipe: int) -> None:
    """Do what comes, until nobody can ask any more."""
    end_with_parent()
    _prepare()
    jobs, results = Connection(jobs_pipe, writable=False), Connection(results_pipe, readable=False)
    with suppress(EOFError, BrokenPipeError):  # nobody asks any more, or waits for the answer
        while True:
            results.send(_answer(jobs.recv_bytes(), results))


def _answer(job: bytes, results: Connection) -> tuple[str, Any]:
    told_at, untold = time.monotonic(), 0

    def on_frame(frames: int = 1, /) -> None:
        nonlocal told_at, untold
        untold += frames
        now = time.monotonic()
        if untold and now - told_at >= _TELL_SECONDS:
            results.send((FRAMES, untold))
            told_at, untold = now, 0

    try:
        work, item = pickle.loads(job)  # by whoever started this process
        return DONE, work(item, on_frame)
    except BrokenPipeError:
        raise
    except MemoryError:
        return NO_MEMORY, ""
    except KinesphereError as error:
        return REFUSED, error
    except Exception as error:  # noqa: BLE001  whatever the work has run into, the next may go well
        traceback.print_exc()
        return FAILED, f"{type(error).__name__}: {error}"


def _prepare() -> None:
    os.dup2(2, 1)  # what libraries print belongs to their messages
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
