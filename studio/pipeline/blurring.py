"""Hiding heads in recordings' videos, once for each trajectory, as a version with blurred videos needs it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kinesphere.errors import Conflict, CorruptObject
from kinesphere.video.video_keys import blurred_key
from pose.engines.isolation import WORK_PROCESSES
from storage.erasure.late_writes import remove_empty_folder
from storage.recordings.recording import State, blurred_note_key
from studio.pipeline.isolated_blurring import Blurring, done, hide, look

if TYPE_CHECKING:
    from kinesphere.objects.store import Objects
    from storage.catalog import TrajectoryRecord
    from storage.workspace import Workspace

BYSTANDERS = "Bystanders are hidden where they are found, a few times a second. Look before you share it."


class Progress(Protocol):
    """Shows how far something is, e.g. as a bar, within a block; gives what is told how many frames are done."""

    def __call__(self, title: str, total: float, /) -> AbstractContextManager[Callable[[int], None]]: ...


def no_progress(_title: str, _total: float, /) -> AbstractContextManager[Callable[[int], None]]:
    """Show nothing."""
    return nullcontext(lambda _frames: None)


def blur_recording(
    workspace: Workspace,
    recording: str,
    *,
    output: Path | None = None,
    strict: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Hide the head in one recording, in its `blurred.mp4`, or in the file `output`.

    A `blurred.mp4` that was made of the same video by the same trajectory is kept as it is: `blurred.json`, written
    last, says so.

    Args:
        output: a file to write instead.
        strict: hide the whole frame wherever the head was lost.
        progress: shows how far it is; what C++ libraries log meanwhile is not kept off the screen here.

    Returns:
        `recording`, `location`, `is_new` and the `report` of what was hidden.

    Raises:
        Conflict: the recording has no trajectory yet, was sent elsewhere, or is withdrawn.
        InvalidInput: nobody was found in it.
        InvalidVideo: it takes more memory or time than it may.
        CorruptObject: its video is missing or is not what was submitted.
    """
    try:
        return _blur_recording(workspace, recording, output=output, strict=strict, progress=progress)
    finally:
        WORK_PROCESSES.end_idle()


def blur_all(workspace: Workspace, recordings: Sequence[str], *, progress: Progress = no_progress) -> None:
    """Make sure that each recording has a `blurred.mp4` of its newest trajectory; raises what `blur_recording` does.

    What was hidden with `--strict` hides more, and is kept.
    """
    try:
        for recording in recordings:
            trajectory = workspace.catalog.trajectory(recording)
            earlier = _earlier(workspace.objects, recording)
            if trajectory is not None and earlier is not None:
                video_sha256 = workspace.catalog.recording(recording).video_sha256
                if earlier["made_of"] == _note(video_sha256, trajectory, strict=True):
                    continue
            _blur_recording(workspace, recording, output=None, strict=False, progress=progress)
    finally:
        WORK_PROCESSES.end_idle()


def _blur_recording(
    workspace: Workspace, recording: str, *, output: Path | None, strict: bool, progress: Progress
) -> dict[str, Any]:
    from studio.pipeline.extraction import verified_description

    row, objects = workspace.catalog.recording(recording), workspace.objects
    trajectory = workspace.catalog.trajectory(recording)
    if row.state in (State.WITHDRAWN, State.ERASED):
        raise Conflict(f"recording {recording} is {row.state}; nothing more is made of it")
    if trajectory is None:
        where = f"processed at {row.sent_to}" if row.sent_to else "not processed yet; see: kinesphere process"
        raise Conflict(f"recording {recording} has no trajectory that says where the head is: it is {where}")
    note = _note(row.video_sha256, trajectory, strict=strict)
    earlier = _earlier(objects, recording)
    if output is None and earlier is not None and earlier["made_of"] == note:
        return _result(recording, f"{objects.url}/{blurred_key(recording)}", earlier["report"], is_new=False)
    verified_description(objects, row)
    workspace.temporary.mkdir(exist_ok=True)  # where an erasure finds what a kill leaves
    with (
        tempfile.TemporaryDirectory(prefix=f"{recording}-", dir=workspace.temporary) as folder,
        WORK_PROCESSES.borrowed() as process,
    ):
        file = output or Path(folder) / "blurred.mp4"
        job = Blurring(objects.url, trajectory, row.frames, file, strict)
        with progress(f"Looking for people in {recording}", row.frames) as show:
            job = replace(job, others=done(process, look, job, show))
        with progress(f"Hiding heads in {recording}", row.frames) as show:
            report = asdict(done(process, hide, job, show))
        if output is not None:
            return _result(recording, str(output), report, is_new=True)
        objects.delete(blurred_note_key(recording))  # until the new one is whole, nothing vouches for it
        objects.put(blurred_key(recording), file)
        objects.put(blurred_note_key(recording), (json.dumps({"made_of": note, "report": report}) + "\n").encode())
    if workspace.catalog.departed([recording]):
        for key in (blurred_note_key(recording), blurred_key(recording)):
            objects.delete(key)
        remove_empty_folder(objects, f"recordings/{recording}")
        raise Conflict(f"recording {recording} was withdrawn meanwhile; nothing was kept")
    return _result(recording, f"{objects.url}/{blurred_key(recording)}", report, is_new=True)


def _note(video_sha256: str, trajectory: TrajectoryRecord, *, strict: bool) -> dict[str, Any]:
    """What decides which pixels are hidden."""
    from pose.drawing.blur import REVISION

    place = {"shard": trajectory.shard, "first_frame": trajectory.first_frame, "length": trajectory.length}
    return {"video_sha256": video_sha256, **place, "revision": REVISION, "strict": strict}


def _earlier(objects: Objects, recording: str) -> dict[str, Any] | None:
    """What `blurred.json` says, if there is one, with its video."""
    if not objects.exists(blurred_note_key(recording)) or not objects.exists(blurred_key(recording)):
        return None
    try:
        found: dict[str, Any] = json.loads(objects.get(blurred_note_key(recording)))
        return {"made_of": found["made_of"], "report": found["report"]}
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptObject(f"object '{blurred_note_key(recording)}' is damaged; delete it and blur again") from error


def _result(recording: str, location: str, report: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
    return {"recording": recording, "location": location, "is_new": is_new, "report": report}
