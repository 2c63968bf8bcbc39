"""The outbox: takes wait here on the contributor's disk, each a folder, until they are submitted."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from filelock import Timeout

from capture.drafts.unfinished import VIDEO, TakeStart, make_draft, take_folder, take_lock, tidy_draft
from capture.recorder.recorder import CaptureReport
from kinesphere.errors import Conflict, InvalidInput, KinesphereError, NotFound, StorageFailed
from kinesphere.names import is_recording_id, new_recording_id
from kinesphere.video.video_keys import video_key
from storage.catalog import StoredTask
from storage.erasure.late_writes import undone_if_departed
from storage.recordings.consent import Agreement, checked_scopes
from storage.recordings.recording import (
    Consent,
    Origin,
    OtherCamera,
    RecordingFile,
    State,
    check_length,
    description_key,
)
from storage.workspace import Workspace


def take(
    workspace: Workspace,
    *,
    kind: Literal["camera", "import"],
    task: str,
    contributor: str,
    agreement: Agreement,
    capture: Callable[[Path], Origin],
    replaces: str | None = None,
    recording: str | None = None,
) -> RecordingFile:
    """Make one take into a draft: `capture` writes the video to the path it is given and says where it came from.

    The draft appears whole, with its consent record, or not at all. What was recorded before a crash or before the
    disk was full is kept for `capture.drafts.unfinished.recover`.

    Args:
        workspace: where the draft will lie.
        kind: a cut-short recording is made whole at the next start; a cut-short import can be repeated.
        task: name of the task.
        contributor: id of the person who recorded.
        agreement: how the contributor has agreed to the task's consent text, and to what.
        capture: writes the video.
        replaces: id of the recording that was returned and that this one replaces.
        recording: the id, where it must be known before; else a new one.

    Returns:
        The draft's description.

    Raises:
        NotFound: the task or the contributor is not known.
        InvalidInput: the task does not offer a scope or requires another, or the consent has ended already.
        KinesphereError: whatever `capture` raises.
        StorageFailed: the disk is full.
    """
    stored = workspace.catalog.task(task)
    workspace.catalog.require_contributor(contributor)
    now = datetime.now(UTC)
    start = TakeStart(
        kind=kind,
        recording=recording or new_recording_id(),
        task=task,
        task_version=stored.version,
        contributor=contributor,
        created_at=now,
        consent=consent_to(stored, agreement, now),
        replaces=replaces,
    )
    try:
        with take_folder(workspace, start) as folder:
            return make_draft(workspace, start, capture(folder / VIDEO))
    except KinesphereError:
        raise
    except OSError as error:
        raise StorageFailed(f"cannot write the take in {workspace.drafts}: {error.strerror or error}") from error


def consent_to(stored: StoredTask, agreement: Agreement, now: datetime) -> Consent:
    """The consent record that an agreement to a task comes to.

    Args:
        stored: the task, in the version that is agreed to.
        agreement: how the contributor agreed, and to what: by default what the task requires.
        now: the moment of the agreement, UTC.

    Returns:
        The record. It ends at the earlier one of the contributor's end and the task's.

    Args:
        task: the task, in the version that is agreed to.
        now: the moment of the agreement, UTC.
        scopes: what the contributor consents to, by default what the task requires.
        expires_at: until when, if they say so.

    Returns:
        The scopes, and the earlier one of the contributor's end and the task's; None for no end.

    Raises:
        InvalidInput: the task does not offer a scope or requires another, or the consent has ended already.
    """
    task, rule, end = stored.task, stored.task.consent_scopes, agreement.expires_at
    scopes = checked_scopes(rule.required if agreement.scopes is None else agreement.scopes)
    refusal = rule.refusal(scopes)
    if refusal is not None:
        raise InvalidInput(f"task '{task.name}' {refusal}")
    if end is not None and end <= now:
        raise InvalidInput(f"the consent would have ended on {end:%Y-%m-%d} already; give a later day")
    ends = [end] if end is not None else []
    if rule.expires_after_days is not None:
        ends.append(now + timedelta(days=rule.expires_after_days))
    return Consent(
        task=task.name,
        task_version=stored.version,
        text_sha256=task.consent_sha256,
        language=task.language,
        agreed_at=now,
        method=agreement.method,
        signed=agreement.signed,
        scopes=scopes,
        expires_at=min(ends, default=None),
    )


def take_together(
    workspace: Workspace,
    *,
    task: str,
    contributor: str,
    agreement: Agreement,
    capture: Callable[[Sequence[Path]], Sequence[CaptureReport]],
    cameras: int,
    complete: Callable[[int, Origin], Origin] = lambda _, origin: origin,
) -> list[RecordingFile]:
    """Make takes of several cameras into drafts that name each other; as `take`, for each of them.

    Args:
        workspace: where the drafts will lie.
        task: name of the task.
        contributor: id of the person who recorded.
        agreement: to what they consent, how and until when.
        capture: writes a video to each of the paths, and reports on each.
        cameras: how many there are.
        complete: adds to what is said of the camera of a number, once all are captured.

    Returns:
        The drafts' descriptions, in the order of the cameras.
    """
    names = [new_recording_id() for _ in range(cameras)]
    drafts: list[RecordingFile] = []
    reports: list[CaptureReport] = []

    def capture_nested(videos: tuple[Path, ...]) -> Origin:
        """Begin a take for each camera, one inside the other, and capture within the innermost."""
        number = len(videos) - 1
        if len(videos) == cameras:
            reports.extend(capture(videos))
        else:
            drafts.append(take_one(videos))
        return complete(number, reports[number].origin(beside=_other_cameras(number, names, reports)))

    def take_one(videos: tuple[Path, ...]) -> RecordingFile:
        return take(
            workspace,
            kind="camera",
            task=task,
            contributor=contributor,
            agreement=agreement,
            recording=names[len(videos)],
            capture=lambda video: capture_nested((*videos, video)),
        )

    drafts.append(take_one(()))
    return drafts[::-1]


def _other_cameras(number: int, names: Sequence[str], reports: Sequence[CaptureReport]) -> tuple[OtherCamera, ...]:
    own = reports[number]

    def drift(other: CaptureReport) -> float | None:
        if other.drift_ppm is None or own.drift_ppm is None:
            return None
        return other.drift_ppm - own.drift_ppm

    return tuple(
        OtherCamera(recording=name, offset_ns=other.first_ns - own.first_ns, drift_ppm=drift(other))
        for name, other in zip(names, reports, strict=True)
        if other is not own
    )


def adopt_drafts(workspace: Workspace) -> list[str]:
    """Enter takes that lie whole in the outbox but not in the catalog: a crash came between the two.

    What else a crash has left there goes: drafts that were handed in or taken back, and notes that were half written.

    Args:
        workspace: the one whose outbox is looked through.

    Returns:
        The ids of the recordings that were entered.
    """
    adopted = []
    folders = sorted(workspace.drafts.iterdir()) if workspace.drafts.is_dir() else []
    known = {row.recording: row.state for row in workspace.catalog.recordings()} if folders else {}
    for folder in folders:
        if not is_recording_id(folder.name):
            continue
        if folder.name not in known:
            with suppress(Timeout), take_lock(workspace, folder.name):  # else it is entered by who made it
                adopted += [folder.name] if _adopt(workspace, folder) else []
        elif known[folder.name] is not State.DRAFT:
            delete_draft(folder)
    return adopted


def _adopt(workspace: Workspace, folder: Path) -> bool:
    description = read_draft(folder)
    tidy_draft(folder)
    try:
        workspace.catalog.add_recording(description, who=description.contributor)
    except NotFound:
        return False  # its contributor was erased; erased again, the draft goes too
    except Conflict:
        return False  # who made it was faster
    return True


def submit(workspace: Workspace, recording: str) -> None:
    """Hand one draft in: its files become objects, then its state changes, then the draft is deleted.

    Interrupted anywhere, it can be repeated.

    Args:
        workspace: the one that the draft lies in.
        recording: the draft's id.

    Raises:
        NotFound: there is no such recording.
        Conflict: it is no draft.
        CorruptObject: its files in the outbox are damaged.
        InvalidInput: it is too long to be processed.
    """
    row = workspace.catalog.recording(recording)
    folder = workspace.drafts / recording
    if row.state is State.DRAFT:
        check_length(recording, row.frames, row.frame_rate)
        description = read_draft(folder)
        with undone_if_departed(workspace, recording, row.contributor):
            workspace.objects.put_all(  # the description first: no video without a name
                {description_key(recording): description.to_bytes(), video_key(recording): folder / VIDEO},
                take_over=True,
                told_by=description_key(recording),
            )
            workspace.catalog.submit(recording, who=row.contributor)  # names what the disk has by now
    else:
        workspace.catalog.submit(recording, who=row.contributor)
    delete_draft(folder)


def withdraw(workspace: Workspace, recording: str, *, why: str) -> None:
    """Take a recording of this workspace back; a draft is deleted. Can be repeated.

    Args:
        workspace: the one that the recording lies in.
        recording: its id.
        why: the reason, as it enters the recording's events.

    Raises:
        NotFound: there is no such recording.
    """
    row = workspace.catalog.recording(recording)
    workspace.catalog.withdraw(recording, who=row.contributor, why=why)
    delete_draft(workspace.drafts / recording)


def delete_draft(folder: Path) -> None:
    """Delete a draft, its video first: as long as anything of it is left, that says whose it is.

    Where that fails, or a power cut undoes it, `adopt_drafts` does it later.

    Args:
        folder: of the draft, there or not.
    """
    with suppress(OSError):
        (folder / VIDEO).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def read_draft(folder: Path) -> RecordingFile:
    """The description of the draft in a folder.

    Raises:
        NotFound: its files are gone.
    """
    file = folder / "recording.json"
    if not file.is_file() or not (folder / VIDEO).is_file():
        raise NotFound("draft", str(folder), hint="its files are gone; record it again")
    return RecordingFile.from_bytes(file.read_bytes(), str(file))
