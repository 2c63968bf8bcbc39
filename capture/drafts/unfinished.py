"""Takes that are not drafts yet: being made now, or cut short by a crash or a full disk and made whole later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from capture.recorder.recorder import finish, journal_path, partial_path
from kinesphere.errors import InvalidVideo, NotFound, StorageFailed
from kinesphere.names import is_recording_id
from kinesphere.objects.local_files import flush_folder, remove_staged, write_whole
from kinesphere.objects.store import file_sha256
from storage.footage.video_reader import open_video
from storage.recordings.recording import Consent, Origin, RecordingFile, Video
from storage.workspace import Workspace

VIDEO = "video.mp4"
NO_FRAME = "it was cut short before its first frame reached the disk"


class TakeStart(BaseModel):
    """What is known of a take before its first frame: `begun.json` in its folder, so that a crash loses no consent."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["camera", "import"]
    recording: str
    task: str
    task_version: int
    contributor: str
    created_at: datetime
    consent: Consent
    replaces: str | None = None


@dataclass(frozen=True)
class Leftover:
    """What became of a take that was cut short."""

    recording: str
    description: RecordingFile | None
    """The draft that it has become, or None."""
    problem: str
    """Why it has become none; empty if it has."""


@contextmanager
def take_folder(workspace: Workspace, start: TakeStart) -> Iterator[Path]:
    """The folder in which a take is made. At the end it is removed, unless it has become a draft or holds frames.

    While the block runs, no other process mistakes the folder for what a crash left.
    """
    workspace.drafts.mkdir(parents=True, exist_ok=True)
    folder = _folder(workspace, start.recording)
    with take_lock(workspace, start.recording):
        try:
            folder.mkdir()
            write_whole(folder / "begun.json", (start.model_dump_json(indent=2) + "\n").encode(), root=workspace.folder)
            yield folder
        finally:
            if not partial_path(folder / VIDEO).exists():
                shutil.rmtree(folder, ignore_errors=True)


def make_draft(workspace: Workspace, start: TakeStart, origin: Origin) -> RecordingFile:
    """Turn the folder of a take with a whole video into a draft.

    Raises:
        InvalidVideo: the video cannot be read.
        NotFound: the contributor was erased meanwhile; nothing is kept.
        StorageFailed: the disk is full.
    """
    folder, draft = _folder(workspace, start.recording), workspace.drafts / start.recording
    description = RecordingFile(
        recording=start.recording,
        task=start.task,
        task_version=start.task_version,
        contributor=start.contributor,
        created_at=start.created_at,
        consent=start.consent,
        video=_measure(folder / VIDEO),
        origin=origin,
        replaces=start.replaces,
    )
    write_whole(folder / "recording.json", description.to_bytes())
    folder.rename(draft)
    flush_folder(workspace.drafts)  # before the catalog names it
    tidy_draft(draft)
    try:
        workspace.catalog.add_recording(description, who=start.contributor)
    except NotFound:  # the contributor was erased meanwhile, and with them all drafts but this one
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return description


def recover(workspace: Workspace) -> list[Leftover]:
    """Make drafts of the takes that a crash or a full disk cut short. Takes that are being made are left alone.

    What cannot be made whole now, for lack of space for instance, stays for the next time; what holds not one frame
    is removed.

    Args:
        workspace: the one whose outbox is looked through.

    Returns:
        What became of each take that was cut short.
    """
    found = []
    for folder in sorted(workspace.drafts.glob(".*.partial")):
        recording = folder.name.removeprefix(".").removesuffix(".partial")
        if not is_recording_id(recording):
            continue
        with suppress(Timeout), take_lock(workspace, recording):
            if folder.is_dir():
                found.append(_recover(workspace, recording, folder))
    return found


def _recover(workspace: Workspace, recording: str, folder: Path) -> Leftover:
    video = folder / VIDEO
    try:
        start = TakeStart.model_validate_json((folder / "begun.json").read_bytes())
        if start.kind == "import":
            return _removed(recording, folder, "the import was cut short; import the file again")
        if not video.exists() and not partial_path(video).exists():
            return _removed(recording, folder, NO_FRAME)
        origin = Origin(kind="camera", ended="interrupted")
        with suppress(FileNotFoundError, ValidationError):  # no reason to give up the frames
            origin = Origin.model_validate_json(journal_path(video).read_bytes())
        if partial_path(video).exists() and not video.exists():
            finish(video)
        return Leftover(recording, make_draft(workspace, start, origin), "")
    except (FileNotFoundError, ValidationError, InvalidVideo):
        return _removed(recording, folder, NO_FRAME)
    except StorageFailed as error:
        return Leftover(recording, None, f"it waits for the next start: {error}")
    except OSError as error:
        return Leftover(recording, None, f"it waits for the next start: {error.strerror}")


def _removed(recording: str, folder: Path, problem: str) -> Leftover:
    shutil.rmtree(folder, ignore_errors=True)
    return Leftover(recording, None, problem)


@contextmanager
def take_lock(workspace: Workspace, recording: str) -> Iterator[None]:
    """Hold the lock of a take, which lies beside its folder, from before its first frame until the catalog has it.

    Args:
        workspace: the one that the take lies in.
        recording: its id.

    Yields:
        Nothing: the block does the work.

    Raises:
        Timeout: another process holds it; nobody waits for it.
    """
    folder = _folder(workspace, recording)
    lock = folder.with_suffix(".lock")
    with FileLock(lock, timeout=0):
        try:
            yield
        finally:
            if not folder.exists():
                lock.unlink(missing_ok=True)


def tidy_draft(folder: Path) -> None:
    """Remove from a draft what was only needed until it was one.

    Args:
        folder: of the draft.
    """
    for file in (folder / "begun.json", journal_path(folder / VIDEO)):
        file.unlink(missing_ok=True)
    remove_staged(folder)


def _folder(workspace: Workspace, recording: str) -> Path:
    return workspace.drafts / f".{recording}.partial"


def _measure(video: Path) -> Video:
    with open_video(video) as reader:
        info = reader.info
    return Video(
        sha256=file_sha256(video),
        size_bytes=video.stat().st_size,
        codec=info.codec,
        width=info.width,
        height=info.height,
        frames=info.frames,
        duration_ns=info.duration_ns,
        frame_rate=info.frame_rate,
    )
