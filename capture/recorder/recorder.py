"""Records a source into a video with true frame times, and says of every frame that was lost that it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from capture.recorder.controls import Controls
from capture.recorder.frame_queue import FrameQueue
from capture.recorder.h264_encoder import H264File
from capture.recorder.hardware_encoders import encoder_for
from capture.recorder.mp4_file import TICKS_PER_SECOND, copy_stream, put_in_place, refuse_to_replace, writing
from capture.sources.device_clock import DriftMeter
from capture.sources.source import CapturedFrame, Source
from capture.worker_thread import Worker
from kinesphere.errors import InvalidInput, InvalidVideo, KinesphereError, StorageFailed
from kinesphere.objects.local_files import flush_file, write_whole
from kinesphere.video.upright import Orientation, Upright
from storage.footage.video_reader import open_video
from storage.recordings.recording import MOST_MOMENTS, Origin, OtherCamera

Ended = Literal["asked", "source ended", "source failed", "interrupted", "full"]
MOST_FRAMES = 2**18
"""No more fit into a shard; a recording that has so many ends as if it were asked to."""

_SYNC_SECONDS = 1.0
_LATE = 1.5
"""A frame is late when it comes this many frame intervals after the one before, or more."""


@dataclass(frozen=True)
class RecordingProgress:
    """How far a recording has come."""

    frames: int
    dropped: int
    elapsed_ns: int
    """From the first frame to the latest."""
    waiting: int
    """Frames taken and not yet encoded; when it nears the queue's end, the machine does not keep up."""


@dataclass(frozen=True)
class CaptureReport:
    """What a recording became, and what was lost on the way."""

    device: str
    frames: int
    dropped: int
    """Frames that the source gave and the video lacks: the encoder was behind, or the source could not read them."""
    dropped_at_ns: tuple[int, ...]
    """When the encoder was behind, since the first frame."""
    late_at_ns: tuple[int, ...]
    """When frames came that were 1.5 frame intervals after the one before, or more, since the first frame."""
    longest_gap_ns: int
    """Longest time between two frames of the video, pauses left out."""
    pauses_ns: tuple[tuple[int, int], ...]
    """From when until when the contributor had paused, since the first frame."""
    marks_ns: tuple[int, ...]
    """Moments that the contributor marked, since the first frame."""
    started_at: datetime
    """Wall time of the first frame, UTC."""
    first_ns: int
    """The same moment on the clock of `time.monotonic_ns`, which all takes of one computer share."""
    drift_ppm: float | None
    """How much faster than that clock the device's own runs, in parts per million; None where it is not known."""
    encoder: str
    width: int
    height: int
    frame_rate: float
    """Frames a second that the source meant to give."""
    duration_ns: int
    ended: Ended
    failure: str
    """Why the source failed; empty unless it did."""

    def origin(self, beside: tuple[OtherCamera, ...] = ()) -> Origin:
        """What `recording.json` says of where the recording comes from.

        Args:
            beside: the recordings that other cameras made at the same time.

        Returns:
            The origin; of each kind of loss, the first thousand are there with their times.
        """
        return Origin(
            kind="camera",
            device=self.device,
            encoder=self.encoder,
            started_at=self.started_at,
            dropped_frames=self.dropped,
            dropped_at_ns=self.dropped_at_ns[:MOST_MOMENTS],
            late_frames=len(self.late_at_ns),
            late_at_ns=self.late_at_ns[:MOST_MOMENTS],
            longest_gap_ns=self.longest_gap_ns,
            pauses_ns=self.pauses_ns,
            marks_ns=self.marks_ns,
            drift_ppm=self.drift_ppm,
            beside=beside,
            ended=self.ended,
        )


def partial_path(path: Path) -> Path:
    """Where a recording that will become `path` is until it is whole; a crash leaves it there, playable."""
    return path.with_name(path.name + ".partial.mp4")


def journal_path(path: Path) -> Path:
    """Where the `Origin` of a recording that will become `path` is, as of the last second or so, until it is whole."""
    return path.with_name(path.name + ".partial.json")


def record(
    source: Source,
    path: Path,
    *,
    seconds: float | None = None,
    controls: Controls | None = None,
    on_progress: Callable[[RecordingProgress], None] | None = None,
) -> CaptureReport:
    """Record until `seconds` are over, `controls` say stop, Ctrl-C is pressed, or the source ends or fails.

    `path` exists only once the video is whole: H.264 in an ordinary MP4, the index first, no B-frames, a keyframe at
    least once a second, the first frame at 0 and each at its true time in 1/90000 s. The source stays open.

    Args:
        source: where the frames come from.
        path: of the video, which must not exist yet.
        seconds: the longest that it may last; without end by default.
        controls: stop, pause and mark it from another thread.
        on_progress: called in this thread, about ten times a second.

    Returns:
        What was recorded, and what was lost.

    Raises:
        StorageFailed: the disk refused, for instance because it is full. What was recorded until then stays at
            `partial_path(path)`, as after a crash, and `finish` makes it whole.
        InvalidInput: the source failed or ended, or the recording was stopped, before the first frame.
        Conflict: `path`, or what a crash left of it, exists already.
    """
    refuse_to_replace(path)
    refuse_to_replace(partial_path(path))
    take = _Take(source, path, seconds, controls or Controls())
    try:
        take.run(on_progress)
        report = take.report()
        finish(path, frames=report.frames)
    except KinesphereError as error:
        if not take.has_frames:
            _remove_partial(path)
            raise
        message = f"{error}. What was recorded until then is kept; then run: kinesphere status"
        raise StorageFailed(message) from error
    return report


def finish(path: Path, *, frames: int | None = None) -> None:
    """Make what was recorded for `path` whole: an ordinary MP4, every frame as it is, none encoded again.

    Args:
        frames: how many there must be; after a crash nobody knows.

    Raises:
        InvalidVideo: not one frame had reached the disk.
        StorageFailed: the disk refused; what was recorded stays as it is.
        Conflict: `path` exists already.
    """
    finished = path.with_name(path.name + ".finished.mp4")
    try:
        copy_stream(partial_path(path), finished)
        _verify(finished, frames)
        put_in_place(finished, path)
    finally:
        finished.unlink(missing_ok=True)
    _remove_partial(path)


def _remove_partial(path: Path) -> None:
    partial_path(path).unlink(missing_ok=True)
    journal_path(path).unlink(missing_ok=True)


class _Take:
    """One recording being made: a thread takes frames, another encodes them, a third makes the disk keep them."""

    def __init__(self, source: Source, path: Path, seconds: float | None, controls: Controls) -> None:
        self._path = path
        self._source = source
        self._lost_before = source.lost
        self._controls = controls
        self._limit_ns = None if seconds is None else round(seconds * 1e9)
        self._width, self._height = source.width - source.width % 2, source.height - source.height % 2
        self._settings = encoder_for(source.width, source.height, source.frame_rate)
        self._queue = FrameQueue(source)
        self._stopping = threading.Event()
        self._grabber = Worker("grab", self._grab)
        self._encoder = Worker("encode", self._encode)
        self._syncer = Worker("sync", self._sync)
        self._first_ns: int | None = None
        self._started_at = datetime.now(UTC)
        self._times_ns: list[int] = []
        self._longest_gap_ns = 0
        self._dropped_at_ns: list[int] = []
        self._late_at_ns: list[int] = []
        self._pauses_ns: list[tuple[int, int]] = []
        self._drift = DriftMeter()
        self._stop_was_asked = self._is_full = False

    @property
    def has_frames(self) -> bool:
        """Whether a frame was encoded."""
        return bool(self._times_ns)

    def run(self, on_progress: Callable[[RecordingProgress], None] | None) -> None:
        """Record until it is over; raises what went wrong with the disk, not with the source."""
        workers = (self._encoder, self._syncer, self._grabber)
        for worker in workers:
            worker.start()
        try:
            while all(worker.is_alive() for worker in workers) and not self._controls.wait_for_stop(0.1):
                if on_progress is not None:
                    on_progress(self._progress())
        except KeyboardInterrupt:
            pass
        finally:
            self._finish()
        self._encoder.raise_error()
        self._syncer.raise_error()

    def report(self) -> CaptureReport:
        """What the recording became.

        Raises:
            InvalidInput: there is no frame in it.
        """
        if not self._times_ns:
            self._grabber.raise_error()
            raise InvalidInput(f"'{self._source.name}' gave no frame before the recording ended")
        failure = "" if self._grabber.error is None or self._stop_was_asked else str(self._grabber.error)
        if failure:
            return self._report("source failed", failure)
        return self._report("full" if self._is_full else "asked" if self._stop_was_asked else "source ended")

    def _report(self, ended: Ended, failure: str = "") -> CaptureReport:
        """What has been recorded so far, at least one frame."""
        times_ns = self._times_ns.copy()
        return CaptureReport(
            device=self._source.name,
            frames=len(times_ns),
            dropped=len(self._dropped_at_ns) + self._source.lost - self._lost_before,
            dropped_at_ns=tuple(self._dropped_at_ns),
            late_at_ns=tuple(self._late_at_ns),
            longest_gap_ns=self._longest_gap_ns,
            pauses_ns=tuple(self._pauses_ns),
            marks_ns=tuple(max(0, mark - (self._first_ns or 0)) for mark in self._controls.marks_ns),
            started_at=self._started_at,
            first_ns=self._first_ns or 0,
            drift_ppm=self._drift.parts_per_million,
            encoder=str(self._settings),
            width=self._width,
            height=self._height,
            frame_rate=self._source.frame_rate,
            duration_ns=times_ns[-1] + round(1e9 / self._source.frame_rate),
            ended=ended,
            failure=failure,
        )

    def _finish(self) -> None:
        """Let the threads end: a source that hangs is not waited for, frames already taken are encoded."""
        self._stop_was_asked = self._stop_was_asked or self._grabber.is_alive()
        self._stopping.set()
        self._grabber.join(timeout=2)
        self._queue.close()
        self._encoder.join()
        self._syncer.join()

    def _grab(self) -> None:
        previous_ns = queued_ns = taken = 0
        paused_at_ns: int | None = None
        interval_ns = 1e9 / self._source.frame_rate
        try:
            for captured in self._source.frames():
                if self._stopping.is_set():
                    return
                since_ns = self._since_first(captured)
                if captured.device_ns is not None:
                    self._drift.add(captured.device_ns, captured.arrived_ns)
                self._is_full = taken >= MOST_FRAMES
                if self._is_full or (self._limit_ns is not None and since_ns >= self._limit_ns):
                    self._stop_was_asked = True
                    return
                if self._controls.paused and since_ns:
                    paused_at_ns = since_ns if paused_at_ns is None else paused_at_ns
                    continue
                if paused_at_ns is not None:
                    self._pauses_ns.append((paused_at_ns, since_ns))
                    previous_ns, queued_ns, paused_at_ns = since_ns, since_ns, None
                if since_ns - previous_ns >= _LATE * interval_ns:
                    self._late_at_ns.append(since_ns)
                previous_ns = since_ns
                if self._queue.put(captured):
                    taken += 1
                    self._longest_gap_ns = max(self._longest_gap_ns, since_ns - queued_ns)
                    queued_ns = since_ns
                else:
                    self._dropped_at_ns.append(since_ns)
        finally:
            self._queue.close()

    def _since_first(self, captured: CapturedFrame) -> int:
        if self._first_ns is None:
            self._first_ns = captured.captured_ns
            ago = timedelta(microseconds=(time.monotonic_ns() - captured.captured_ns) / 1000)
            self._started_at = datetime.now(UTC) - ago
        return captured.captured_ns - self._first_ns

    def _encode(self) -> None:
        upright = Upright(Orientation(), self._source.width, self._source.height, even=True)
        size = self._width, self._height
        latest = -1
        partial = partial_path(self._path)
        with H264File(partial, *size, self._source.frame_rate, self._settings, fragmented=True) as file:
            while (captured := self._queue.get()) is not None:
                since_ns = captured.captured_ns - (self._first_ns or 0)
                latest = max(latest + 1, round(since_ns * TICKS_PER_SECOND / 1e9))
                with captured.in_use:
                    file.write(upright(captured.frame), latest)
                self._times_ns.append(since_ns)

    def _sync(self) -> None:
        """Have the disk keep what is written, so that a power cut costs no more than a crash. It may take its time."""
        partial, journal = partial_path(self._path), journal_path(self._path)
        while self._encoder.is_alive():
            self._encoder.join(_SYNC_SECONDS)
            with writing(partial):
                if partial.exists():
                    flush_file(partial)
                if self.has_frames:
                    write_whole(journal, self._report("interrupted").origin().model_dump_json().encode())

    def _progress(self) -> RecordingProgress:
        elapsed_ns = self._times_ns[-1] if self._times_ns else 0
        return RecordingProgress(len(self._times_ns), len(self._dropped_at_ns), elapsed_ns, len(self._queue))


def _verify(finished: Path, frames: int | None) -> None:
    """Refuse a file that cannot be read, or that does not hold every frame that was encoded."""
    try:
        found = open_video(finished).info.frames
    except InvalidVideo as error:
        raise StorageFailed(f"the recording could not be read back: {error}") from error
    if frames is not None and found != frames:
        raise StorageFailed(f"the recording could not be read back: {found} of {frames} frames are in {finished}")
