"""Work in a process of its own, with limits on memory and time: what a stranger's video does there harms nothing else.

A process is started once and does one piece of work after another, so that what it has loaded is used again. It is
watched from here: of the limits that a system can set, that of addresses says little about memory in use, and decoders
take allocations that are refused for damage.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kinesphere.errors import StorageFailed
from pose.engines.engine import Item, OnFrame, Result, Work
from pose.engines.work_process import DONE, FRAMES, NO_MEMORY, REFUSED

_LOOK_SECONDS = 0.1
"""How often memory and time are looked at."""
_REFUSED_BEYOND = 2
"""Times the memory that is allowed: so much is refused by the system itself, should nobody look in time."""
_KEPT_BELOW = 0.5
"""Of the memory that is allowed: a process that holds more after its work is not used again."""


@dataclass(frozen=True)
class Limits:
    """What the work on one recording may use, so that one that never ends does not stop the others."""

    memory_bytes: int = 4 << 30
    """In use at a time (on Linux). Pictures of 8K take 2 GB."""
    least_seconds: float = 600
    """That everything may take."""
    seconds_per_frame: float = 1
    """That it may take in all, if that is more: twenty times what a frame takes on one core."""
    seconds: float | None = None
    """That it may take instead, however long it is."""

    def seconds_for(self, frames: int) -> float:
        """How long the work on a recording may take.

        Args:
            frames: of the recording.

        Returns:
            Seconds, as clocks on walls count them.
        """
        return self.seconds if self.seconds is not None else max(self.least_seconds, self.seconds_per_frame * frames)


class WorkFailed(Exception):
    """Work raised, crashed, or used more than it may; the text says which, in words that follow a colon."""


class WorkProcess:
    """A process that does work. One thread at a time may use it."""

    def __init__(self) -> None:
        """
        Raises:
            StorageFailed: the system starts no process.
        """
        jobs, self._jobs = _pipe()
        self._results, results = _pipe()
        path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
        try:
            # a group of its own: Ctrl-C at the terminal is for this process, which ends that one; not a session of its
            # own, since Linux shares processors out by session, and `nice` means nothing beyond one
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pose.engines.work_process", str(jobs.fileno()), str(results.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                # the threads of the linear algebra libraries would spin beside those of the networks
                env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=(jobs.fileno(), results.fileno()),
                process_group=0,
            )
        except OSError as error:
            raise StorageFailed(f"no process could be started for the work: {error.strerror or error}") from error
        finally:
            jobs.close()
            results.close()
        self._unread = 0
        """Results that nobody waits for."""
        self.is_spent = False
        """Whether it holds much of what its last work needed, and leaves too little for others."""

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def memory_bytes(self) -> int:
        """What it has in use; 0 where the system does not tell."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def begin(self, work: Work[Item, Any], item: Item) -> None:
        """Have something done before what is run next, whatever comes of it.

        Args:
            work: as for `run`.
            item: what to do it with.
        """
        self._send(work, item)
        self._unread += 1

    def run(
        self, work: Work[Item, Result], item: Item, on_frame: OnFrame, *, memory_bytes: int, seconds: float
    ) -> Result:
        """Do one piece of work there. When that fails the process is ended.

        Args:
            work: a function that can be imported there.
            item: what to do it with; it is pickled.
            on_frame: told of frames, and asked all the time. What it raises ends the process.
            memory_bytes: that the process may have in use.
            seconds: that the work may take.

        Returns:
            What the work has returned.

        Raises:
            WorkFailed: it gave no result.
            KinesphereError: the work has raised it.
        """
        try:
            self._limit(memory_bytes)
            self._send(work, item)
            result: Result = self._wait(on_frame, memory_bytes, seconds)
            self.is_spent = self.memory_bytes > _KEPT_BELOW * memory_bytes
        except BaseException:  # stopped, or nobody knows what state it is in
            self.close()
            raise
        return result

    def close(self) -> None:
        """End it, with all that it has started, and wait until it is gone."""
        if self._process.returncode is None:  # else its number may be another's by now
            with suppress(ProcessLookupError, PermissionError):  # the latter on macOS, of one that has ended
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._jobs, self._results, self._process.stdin):
            if pipe is not None:
                pipe.close()

    def _send(self, work: Work[Item, Any], item: Item) -> None:
        try:
            self._jobs.send((work, item))
        except OSError as error:  # it has ended
            raise WorkFailed(self._why_ended()) from error

    def _wait(self, on_frame: OnFrame, memory_bytes: int, seconds: float) -> Any:
        until = time.monotonic() + seconds
        while True:
            on_frame(0)
            try:
                told = self._results.recv() if self._results.poll(_LOOK_SECONDS) else None
            except (EOFError, OSError) as error:
                raise WorkFailed(self._why_ended()) from error
            except Exception as error:
                raise WorkFailed(f"its result cannot be read ({type(error).__name__}: {error})") from error
            if told is not None and told[0] != FRAMES and self._unread:
                self._unread -= 1
            elif told is not None:
                kind, content = told
                if kind == DONE:
                    return content
                if kind == REFUSED:
                    raise content
                if kind != FRAMES:
                    raise WorkFailed(_too_much(memory_bytes) if kind == NO_MEMORY else content)
                on_frame(content)
            if self.memory_bytes > memory_bytes:
                raise WorkFailed(_too_much(memory_bytes))
            if time.monotonic() > until:
                raise WorkFailed(f"it took longer than {_duration(seconds)}")

    def _why_ended(self) -> str:
        self.close()
        code = self._process.returncode
        if code == -signal.SIGKILL:
            return "its process was killed (SIGKILL), as the system does when memory runs out"
        if code < 0:
            return f"what reads or extracts it crashed ({signal.Signals(-code).name})"
        return f"its process ended without a result (exit code {code})"

    def _limit(self, memory_bytes: int) -> None:
        if sys.platform == "linux":
            import resource

            refused = _REFUSED_BEYOND * memory_bytes
            with suppress(OSError):  # it has ended, or may not be limited: memory is looked at all the same
                _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_DATA)
                if hard != resource.RLIM_INFINITY:
                    refused = min(refused, hard)
                resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (refused, hard))


class WorkProcesses:
    """The processes of this one: those that are idle are used again."""

    def __init__(self) -> None:
        self._idle: list[WorkProcess] = []
        self._lock = threading.Lock()

    def start(self, work: Work[Item, Any], item: Item) -> None:
        """Start one that will be needed, and let it load meanwhile.

        Args:
            work: what loads.
            item: its argument.

        Raises:
            StorageFailed: the system starts no process.
        """
        process = WorkProcess()
        try:
            process.begin(work, item)
        except WorkFailed:  # then so does what is run next, which says so
            process.close()
            return
        with self._lock:
            self._idle.append(process)

    @contextmanager
    def borrowed(self) -> Iterator[WorkProcess]:
        """One for the block, for nobody else.

        Yields:
            A process, which is started unless one is idle.

        Raises:
            StorageFailed: the system starts no process.
        """
        process = self._idle_one() or WorkProcess()
        try:
            yield process
        finally:
            if process.is_alive and not process.is_spent:
                with self._lock:
                    self._idle.append(process)
            else:
                process.close()

    def end_idle(self) -> None:
        """End those that do nothing."""
        while (process := self._idle_one()) is not None:
            process.close()

    def _idle_one(self) -> WorkProcess | None:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    return process
                process.close()
        return None


WORK_PROCESSES = WorkProcesses()
"""Of this process."""


def _pipe() -> tuple[Connection, Connection]:
    """Where to read, and where to write. Not inherited by what else is started."""
    reading, writing = os.pipe()
    return Connection(reading, writable=False), Connection(writing, readable=False)


def _too_much(memory_bytes: int) -> str:
    return f"it needed more than {memory_bytes / (1 << 30):.3g} GB of memory"


def _duration(seconds: float) -> str:
    return f"{seconds:g} seconds" if seconds < 120 else f"{seconds / 60:.3g} minutes"
