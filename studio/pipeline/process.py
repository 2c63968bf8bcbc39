"""Processing: what waits as submitted goes through an engine, and what comes out enters the catalog."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from kinesphere.errors import Conflict, CorruptObject, NotFound
from pose.engines.engine import Engine
from pose.engines.isolation import WORK_PROCESSES, Limits
from pose.extractors.extractor import DEFAULT, ExtractorOptions
from storage.catalog import PROCESSING, FailedTries, RecordingRecord
from storage.erasure.erasure import delete_shard
from storage.erasure.late_writes import remove_empty_folder
from storage.recordings.recording import State
from storage.workspace import Workspace
from studio.event_log import note
from studio.pipeline.extraction import Extracted, Failure, Job
from studio.pipeline.isolated_extraction import IsolatedExtraction


@dataclass(frozen=True)
class Outcome:
    """What became of one recording."""

    recording: str
    state: State
    why: str
    frames: int
    frames_with_body: int
    hands_found: int
    shard: str
    shard_bytes: int
    damaged_ns: tuple[int, ...]


def waiting(workspace: Workspace, recordings: Sequence[str] = ()) -> list[RecordingRecord]:
    """The submitted recordings that were not sent elsewhere, or those of them that are named.

    Raises:
        NotFound: a recording that was named does not exist.
        Conflict: it is not waiting to be processed.
    """
    if not recordings:
        return [row for row in workspace.catalog.recordings(State.SUBMITTED) if row.sent_to is None]
    rows = [workspace.catalog.recording(name) for name in dict.fromkeys(recordings)]
    for row in rows:
        if row.state is not State.SUBMITTED:
            advice = "submit it first" if row.state is State.DRAFT else "--again extracts what was accepted or flagged"
            raise Conflict(f"recording {row.recording} is {row.state}, not submitted; {advice}")
        if row.sent_to is not None:
            raise Conflict(f"recording {row.recording} was sent to {row.sent_to}; it is processed there")
    return rows


def processed(workspace: Workspace, recordings: Sequence[str] = ()) -> list[RecordingRecord]:
    """The accepted and flagged recordings that were processed here, or those of them that are named.

    Raises:
        NotFound: a recording that was named does not exist.
        Conflict: it cannot be extracted again.
    """
    again = (State.ACCEPTED, State.FLAGGED)
    if not recordings:
        return [row for row in workspace.catalog.recordings(*again) if row.sent_to is None]
    rows = [workspace.catalog.recording(name) for name in dict.fromkeys(recordings)]
    for row in rows:
        if row.state not in again or row.sent_to is not None:
            where = f"sent to {row.sent_to}" if row.sent_to is not None else row.state
            raise Conflict(f"recording {row.recording} is {where}; only accepted and flagged ones are extracted again")
    return rows


def process(
    workspace: Workspace,
    recordings: Sequence[RecordingRecord],
    *,
    engine: Engine,
    extractor: str = DEFAULT,
    options: ExtractorOptions | None = None,
    limits: Limits | None = None,
    on_frames: Callable[[int], None] = lambda frames: None,
) -> list[Outcome | Failure]:
    """Extract, check and shard recordings; one that fails does not stop the others.

    Each is worked on in a process with limits. What fails is counted, and after `MOST_TRIES` it is flagged. Recordings
    that were processed before keep their checks and their state and get another trajectory, which is the one that
    counts from then on.

    Args:
        extractor: name of the extractor.
        options: what was chosen about the extraction.
        limits: on what the work on one recording may use.
        on_frames: told the number of frames done over all recordings, from any thread.

    Interrupted and repeated it ends the same: shards are named by their content, and a recording's checks,
    trajectory and new state enter the catalog together, here, wherever the work was done.
    """
    from annotate.duplicates.duplicates import catch_up

    if recordings:
        catch_up(workspace)
    counted, finished, lock = 0, 0, threading.Lock()

    def count(frames: int = 1, /) -> None:
        nonlocal counted
        with lock:
            counted += frames
            on_frames(max(counted, finished))

    unprocessed = FailedTries(workspace.catalog).unprocessed()
    jobs = [
        Job(
            row,
            workspace.catalog.task(row.task, row.task_version).task,
            workspace.objects.url,
            extractor,
            options or ExtractorOptions(),
            is_repeated=row.state is not State.SUBMITTED and row.recording not in unprocessed,
        )
        for row in recordings
    ]
    repeated = {job.recording.recording for job in jobs if job.is_repeated}
    results: dict[str, Outcome | Failure] = {}
    begun = time.monotonic()
    note("processing begun", recordings=len(jobs), frames=sum(row.frames for row in recordings))
    try:
        for found in engine.run(IsolatedExtraction(limits or Limits()), jobs, count):
            if isinstance(found, Extracted):
                results[found.recording] = _enter(workspace, found, repeated)
                finished += found.frames
                on_frames(max(counted, finished))
            else:
                results[found.recording] = _count(workspace, found, repeated)
            _note_result(results[found.recording], time.monotonic() - begun)
    finally:
        WORK_PROCESSES.end_idle()
    failed = sum(isinstance(result, Failure) for result in results.values())
    note("processing done", recordings=len(results), failed=failed, seconds=round(time.monotonic() - begun, 3))
    return [results[row.recording] for row in recordings]


def _note_result(result: Outcome | Failure, seconds: float) -> None:
    if isinstance(result, Failure):
        note(
            "recording failed",
            level=logging.WARNING,
            recording=result.recording,
            reason=result.error,
            tries=result.tries,
            state=result.state,
        )
    else:
        note(
            "recording processed",
            recording=result.recording,
            state=result.state.value,
            frames=result.frames,
            since_begun_seconds=round(seconds, 3),
        )


def _count(workspace: Workspace, failure: Failure, repeated: Collection[str]) -> Failure:
    """The failure, once it is entered as a try where it counts as one."""
    if not failure.counts or failure.recording in repeated:
        return failure
    try:
        failed = FailedTries(workspace.catalog).enter(failure.recording, why=failure.error)
    except (Conflict, NotFound):  # somebody else has processed it, or it was withdrawn
        return failure
    return replace(failure, tries=failed.tries, state=failed.state)


def _enter(workspace: Workspace, found: Extracted, repeated: Collection[str]) -> Outcome | Failure:
    from annotate.duplicates.duplicates import forget_fingerprint

    try:
        if found.recording in repeated:
            workspace.catalog.add_trajectory(found.trajectory)
        else:
            found = _with_duplicates(workspace, found)
            workspace.catalog.record_outcome(
                found.recording,
                found.state,
                checks=found.checks,
                trajectory=found.trajectory,
                who=PROCESSING,
                why=found.why,
            )
    except (Conflict, NotFound, CorruptObject) as error:
        if workspace.catalog.departed([found.recording]):  # it was withdrawn while it was extracted
            delete_shard(workspace.objects, found.trajectory.shard)
            forget_fingerprint(workspace, found.recording)
            remove_empty_folder(workspace.objects, f"recordings/{found.recording}")
        return Failure(found.recording, str(error), counts=False)
    return Outcome(
        recording=found.recording,
        state=found.state,
        why=found.why,
        frames=found.frames,
        frames_with_body=found.frames_with_body,
        hands_found=found.hands_found,
        shard=found.trajectory.shard,
        shard_bytes=found.shard_bytes,
        damaged_ns=found.damaged_ns,
    )


def _with_duplicates(workspace: Workspace, found: Extracted) -> Extracted:
    """With the check for duplicates, which needs all recordings and so cannot be done where one is extracted.

    Raises:
        Conflict: another process has held the index for a minute.
    """
    from annotate.checks.task_criteria import limit_of
    from annotate.duplicates.duplicates import find_duplicates
    from annotate.duplicates.fingerprint import Fingerprint

    row = workspace.catalog.recording(found.recording)
    limit = limit_of(workspace.catalog.task(row.task, row.task_version).task.criteria, "duplicate")
    fingerprint = Fingerprint.from_bytes(found.fingerprint, f"fingerprint of {found.recording}")
    check = find_duplicates(workspace, found.recording, row.contributor, fingerprint, limit)
    checks = (*found.checks, check)
    if check.verdict == "pass":
        return replace(found, checks=checks)
    state = State.REJECTED if check.verdict == "fail" else max(found.state, State.FLAGGED, key=_GRAVITY.index)
    why = check.message if found.state is State.ACCEPTED else f"{found.why}; {check.message}"
    return replace(found, checks=checks, state=state, why=why)


_GRAVITY = (State.ACCEPTED, State.FLAGGED, State.REJECTED)
