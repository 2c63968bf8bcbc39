"""What each recording costs: processor time of this process, shared out fairly among the jobs that run at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Meter:
    """The processor time of one job so far, in core-seconds."""

    core_seconds: float = 0.0


@dataclass
class CoreTime:
    """Shares out processor time: whatever passes while n jobs run is split into n equal parts.

    The threads of a decoder or a network belong to no job, so nothing finer is known; the sum over all jobs is right.
    """

    clock: Callable[[], float] = time.process_time
    _running: list[Meter] = field(default_factory=list)
    _settled_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def measured(self) -> Iterator[Meter]:
        """Measure a job; read the meter after the block."""
        meter = Meter()
        with self._lock:
            self._settle()
            self._running.append(meter)
        try:
            yield meter
        finally:
            with self._lock:
                self._settle()
                self._running = [one for one in self._running if one is not meter]

    def _settle(self) -> None:
        now = self.clock()
        for meter in self._running:
            meter.core_seconds += (now - self._settled_at) / len(self._running)
        self._settled_at = now


CORE_TIME = CoreTime()
"""Of this process."""
