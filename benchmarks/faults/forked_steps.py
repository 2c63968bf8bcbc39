"""Steps as processes of their own: a fork that does one thing, tells what it confirmed, and may be killed meanwhile."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Tell = Callable[..., None]
"""Writes into the ledger what somebody was told: a word, and to what it applies."""
Work = Callable[[Tell], None]


_PATIENCE = 10
"""How often a step may take its time again."""
_STARVING = 50.0
"""Percent of the last minute in which something waited for the processor."""


def others_take_the_processor() -> bool:
    """Whether this computer does so much else that what takes long says nothing; False where Linux does not tell."""
    try:
        pressure = Path("/proc/pressure/cpu").read_text()
    except OSError:
        return False
    found = re.search(r"some .*avg60=([0-9.]+)", pressure)
    return found is not None and float(found[1]) > _STARVING


@dataclass(frozen=True)
class Ended:
    """How a step ended."""

    code: int
    """Exit code; negative is the signal that killed it."""
    confirmed: tuple[tuple[str, ...], ...]
    """What it confirmed before that, in order."""
    output: str
    """What it printed, with the traceback of a bug."""
    is_bug: bool
    """It ended by an error that nobody expected."""
    core_seconds: float = 0.0
    """Processor time that it took."""


@dataclass
class Forked:
    """A step that runs."""

    process: int
    _answers: int
    _output: Any
    _received: bytearray = field(default_factory=bytearray)

    def wait(self, seconds: float = 600, *, kill_after: float | None = None) -> Ended:
        """Wait for its end.

        Args:
            seconds: after which it is killed, and its end is a bug: nothing may hang. Longer, where other work has
                the processor.
            kill_after: seconds after which it is killed on purpose.
        """
        until = time.monotonic() + (seconds if kill_after is None else kill_after)
        is_open, hangs, patience = True, False, _PATIENCE
        while is_open:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, until - time.monotonic()))
            if not ready and kill_after is None and patience and others_take_the_processor():
                patience -= 1
                until += seconds
                continue
            if not ready:
                hangs = kill_after is None
                os.kill(self.process, signal.SIGUSR1 if hangs else signal.SIGKILL)  # it shows where it hangs
                if hangs:
                    time.sleep(0.5)
                    os.kill(self.process, signal.SIGKILL)
            part = os.read(self._answers, 65_536)
            self._received += part
            is_open = bool(part)
        os.close(self._answers)
        _, status, used = os.wait4(self.process, 0)
        self._output.seek(0)
        output = self._output.read()
        self._output.close()
        lines = [json.loads(line) for line in self._received.split(b"\n")[:-1]]
        confirmed = tuple(tuple(line["told"]) for line in lines if "told" in line)
        bugs = [line["bug"] for line in lines if "bug" in line] + (["it hangs"] if hangs else [])
        return Ended(
            os.waitstatus_to_exitcode(status),
            confirmed,
            "\n".join([output, *bugs]),
            bool(bugs),
            used.ru_utime + used.ru_stime,
        )

    def kill(self) -> None:
        """Kill it now."""
        os.kill(self.process, signal.SIGKILL)


def fork_step(work: Work, *, arm: Callable[[], None] = lambda: None) -> Forked:
    """Begin a step in a process of its own.

    Args:
        work: what it does. An explained failure ends it with `SystemExit`, as the command does.
        arm: lets a fault loose in the process.

    Returns:
        The running step; wait for it.
    """
    ours, theirs = os.pipe()
    output = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  closed once it is read
    process = os.fork()
    if process:
        os.close(theirs)
        return Forked(process, ours, output)
    code = 1
    try:
        os.close(ours)
        code = _child(work, arm, theirs, output.fileno())
    finally:
        os._exit(code)


def _child(work: Work, arm: Callable[[], None], answers: int, output: int) -> int:
    import faulthandler

    for stream in (1, 2):
        os.dup2(output, stream)
    os.set_inheritable(answers, False)
    faulthandler.register(signal.SIGUSR1, all_threads=True)

    def say(**line: Any) -> None:
        os.write(answers, (json.dumps(line) + "\n").encode())

    def tell(word: str, *what: object) -> None:
        say(told=[word, *map(str, what)])

    try:
        arm()
        work(tell)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:  # noqa: BLE001  whatever it is, it is a bug of ours
        say(bug=traceback.format_exc())
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
