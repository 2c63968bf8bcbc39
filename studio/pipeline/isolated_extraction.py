"""Extraction where a stranger's video can harm nothing else: in a process of its own, on whatever machine."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from kinesphere.errors import InvalidInput, StorageFailed
from pose.engines.engine import OnFrame
from pose.engines.isolation import WORK_PROCESSES, Limits, WorkFailed, WorkProcess
from storage.recordings.recording import check_length
from studio.pipeline.extraction import Extracted, Failure, Job, extract_and_check, refuse_beforehand

_NEEDED = (
    *("annotate.checks.checks", "annotate.duplicates.motion_fingerprint", "av", "pose.extractors.extractor_by_name"),
    *("pose.geometry.sheet", "storage.footage.video_reader", "storage.shards.shard_writer", "zarr"),
)
"""By `extract_and_check`, which imports them as late as it can."""
_LOADING_SECONDS = 600
"""For an extractor's models, which may have to be fetched."""
_LONGEST_REASON = 500
"""Characters; what others wrote has no end."""


@dataclass(frozen=True)
class IsolatedExtraction:
    """`extract_and_check` for engines: any failure is that recording's, and the next one is not touched by it."""

    limits: Limits

    def __call__(self, job: Job, on_frame: OnFrame) -> Extracted | Failure:
        """Extract and check one recording; see `extract_and_check`."""
        row = job.recording
        try:
            check_length(row.recording, row.frames, row.frame_rate)
            with WORK_PROCESSES.borrowed() as process:
                return _opened(process, job, on_frame, self.limits) or _extracted(process, job, on_frame, self.limits)
        except InvalidInput as error:
            return Failure(row.recording, str(error))
        except StorageFailed as error:
            return Failure(row.recording, str(error), counts=False)


def load_ahead() -> None:
    """Start the process that the first recording needs, and let it import what it needs, while others get ready."""
    WORK_PROCESSES.start(_import, None)


def _import(_nothing: None, _on_frame: OnFrame) -> None:
    for module in _NEEDED:
        importlib.import_module(module)


def _opened(process: WorkProcess, job: Job, on_frame: OnFrame, limits: Limits) -> Failure | None:
    try:
        return process.run(refuse_beforehand, job, on_frame, memory_bytes=limits.memory_bytes, seconds=_LOADING_SECONDS)
    except WorkFailed as failed:
        why = f"the extractor {job.extractor} cannot be opened: {_line(failed)}"
        return Failure(job.recording.recording, why, counts=False)


def _extracted(process: WorkProcess, job: Job, on_frame: OnFrame, limits: Limits) -> Extracted | Failure:
    row = job.recording
    seconds = limits.seconds_for(row.frames)
    try:
        return process.run(extract_and_check, job, on_frame, memory_bytes=limits.memory_bytes, seconds=seconds)
    except WorkFailed as failed:
        return Failure(row.recording, _line(failed))


def _line(failed: WorkFailed) -> str:
    return " ".join(str(failed).split())[:_LONGEST_REASON]
