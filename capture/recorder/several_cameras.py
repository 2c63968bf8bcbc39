"""Several cameras at once: one clock, one start, and how far apart they are told with each take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from capture.live.live_source import LiveSource
from capture.recorder.controls import Controls
from capture.recorder.recorder import CaptureReport, RecordingProgress, record
from capture.sources.source import CapturedFrame, Source
from capture.worker_thread import Worker
from kinesphere.errors import InvalidInput

FIRST_FRAME_SECONDS = 10.0
"""A camera that has given nothing by then is not waited for: the slowest known take about that long to open."""
_SOON_NS = 50_000_000


def record_together(
    sources: Sequence[Source],
    paths: Sequence[Path],
    *,
    seconds: float | None = None,
    controls: Controls | None = None,
    on_progress: Callable[[Sequence[RecordingProgress]], None] | None = None,
) -> list[CaptureReport]:
    """Record several sources, each into its own file; as `record`, for all of them.

    All cameras run before any is recorded, and all takes begin with the first frame after one common moment. Each
    report's `first_ns` and `drift_ppm` are on one clock, so the offset of any two is known. If one camera fails, the
    others go on.

    Args:
        sources: the cameras; each is closed at the end.
        paths: of the videos, in the order of the cameras.
        seconds: the longest that it may last; without end by default.
        controls: stop, pause and mark all of them from another thread.
        on_progress: called in this thread, about ten times a second, with the progress of each.

    Returns:
        What became of each, in the order of the cameras.

    Raises:
        InvalidInput: a camera gave no frame within ten seconds.
        StorageFailed: the disk refused; what was recorded is kept, as `record` says.
    """
    controls = controls or Controls()
    with ExitStack() as stack:
        cameras = [stack.enter_context(closing(LiveSource(source))) for source in sources]
        _wait_for_all(cameras)
        start_ns = time.monotonic_ns() + _SOON_NS
        delayed = [_FramesSince(camera, start_ns) for camera in cameras]
        latest: dict[int, RecordingProgress] = {}
        reports: dict[int, CaptureReport] = {}

        def take(number: int) -> None:
            def report_progress(now: RecordingProgress) -> None:
                latest[number] = now

            reports[number] = record(
                delayed[number], paths[number], seconds=seconds, controls=controls, on_progress=report_progress
            )

        workers = [Worker(f"take {number}", partial(take, number)) for number in range(len(cameras))]
        for worker in workers:
            worker.start()
        _wait_for_takes(workers, controls, lambda: on_progress and on_progress([latest[n] for n in sorted(latest)]))
        for worker in workers:
            worker.raise_error()
    return [reports[number] for number in range(len(cameras))]


def _wait_for_all(cameras: Sequence[LiveSource]) -> None:
    end = time.monotonic() + FIRST_FRAME_SECONDS
    while waiting := [camera for camera in cameras if camera.latest is None]:
        for camera in waiting:
            camera.raise_error()
        if any(camera.has_ended for camera in waiting) or time.monotonic() > end:
            raise InvalidInput(f"'{waiting[0].name}' gave no frame; is it the same camera twice, or in use elsewhere?")
        time.sleep(0.02)


def _wait_for_takes(workers: Sequence[Worker], controls: Controls, report_progress: Callable[[], object]) -> None:
    """Wait for all takes; Ctrl-C, or an error in one, ends them all."""
    try:
        while any(worker.is_alive() for worker in workers):
            if any(worker.error is not None for worker in workers):
                controls.stop()
            time.sleep(0.1)
            report_progress()
    except KeyboardInterrupt:
        controls.stop()
    for worker in workers:
        worker.join()


class _FramesSince:
    """What a running source gives from a moment on, kept from now on, however late a recorder asks for it."""

    def __init__(self, source: LiveSource, start_ns: int) -> None:
        self.name, self.width, self.height = source.name, source.width, source.height
        self.frame_rate = source.frame_rate
        self._source = source
        self._frames = source.frames()
        self._start_ns = start_ns

    @property
    def lost(self) -> int:
        return self._source.lost

    def frames(self) -> Iterator[CapturedFrame]:
        return (captured for captured in self._frames if captured.captured_ns >= self._start_ns)

    def close(self) -> None:
        self._source.close()
