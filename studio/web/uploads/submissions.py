"""Takes in what contributors send: a description and a received video become a submitted recording."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from kinesphere.errors import Conflict, CorruptObject, InvalidInput, NotFound
from kinesphere.names import checked_name, is_recording_id
from kinesphere.objects.store import file_sha256
from kinesphere.video.video_keys import video_key
from storage.catalog import RecordingRecord
from storage.erasure.late_writes import undone_if_departed
from storage.recordings.recording import Consent, RecordingFile, State, check_length, description_key
from storage.workspace import Workspace
from studio.web.uploads.upload_files import Upload
from studio.web.uploads.video_probe import probe

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_TEXT = 200
_MEASURED = ("codec", "width", "height", "frames", "duration_ns", "frame_rate")


@dataclasses.dataclass(frozen=True)
class Submissions:
    """Where takes enter a workspace from outside."""

    workspace: Workspace
    locks: defaultdict[str, threading.Lock] = dataclasses.field(default_factory=lambda: defaultdict(threading.Lock))
    """By id of a recording; shared with all else that takes recordings in."""

    def check(self, content: bytes) -> tuple[RecordingFile, RecordingRecord | None]:
        """Read a description and hold it to what this workspace knows; gives also the recording, if it is here already.

        Raises:
            InvalidInput: it is no description, a name in it has the wrong form, another consent text was agreed to, or
                it is too long to be processed.
            NotFound: the task, the contributor or the recording that it replaces is not known here.
            Conflict: there is another recording of this id.
        """
        try:
            description = RecordingFile.from_bytes(content, "recording.json")
        except CorruptObject as error:
            raise InvalidInput(str(error)) from error
        _check_forms(description)
        check_length(description.recording, description.video.frames, description.video.frame_rate)
        self._check_people(description)
        return description, self._present(description)

    def accept(self, description: RecordingFile, upload: Upload) -> RecordingRecord:
        """Enter a recording whose video has been received. Repeated it does nothing more.

        Raises:
            InvalidInput: the video received is not the one described, or no video.
            Conflict: there is another recording of this id, or it was taken back meanwhile.
            NotFound: its contributor was erased meanwhile.
            StorageFailed: the store or the catalog refused; it can be repeated.
        """
        recording = description.recording
        with self.locks[recording]:
            present = self._present(description)
            if present is not None and present.state is not State.DRAFT:
                return present
            _check_received(description, upload)
            self._enter(description, upload, is_new=present is None)
            return self.workspace.catalog.recording(recording)

    def withdraw(self, recording: str, request: Mapping[str, object]) -> RecordingRecord:
        """Take a recording back for whoever can name the hash of its video. Repeated it does nothing more.

        Raises:
            NotFound: there is no such recording.
            InvalidInput: the hash is missing or of another video, or the reason is no short text.
        """
        if not is_recording_id(recording):
            raise NotFound("recording", recording[:40])
        why = request.get("why", "")
        if not isinstance(why, str) or len(why) > _LONGEST_TEXT or not why.isprintable():
            raise InvalidInput(f"the reason should be a line of at most {_LONGEST_TEXT} characters")
        catalog = self.workspace.catalog
        row = catalog.recording(recording)
        if row.state is State.ERASED:
            return row  # of which nothing is left that could be shown or taken
        if request.get("video_sha256") != row.video_sha256:
            raise InvalidInput(f"recording {recording} is taken back by who has its video: name that video's sha256")
        catalog.withdraw(recording, who=row.contributor, why=why or "the contributor took it back")
        return catalog.recording(recording)

    def _enter(self, description: RecordingFile, upload: Upload, *, is_new: bool) -> None:
        objects, catalog, recording = self.workspace.objects, self.workspace.catalog, description.recording
        with undone_if_departed(self.workspace, recording, description.contributor):
            objects.put_all(  # the description first: a crash leaves no nameless video
                {description_key(recording): description.to_bytes(), video_key(recording): upload.path},
                take_over=True,
                told_by=description_key(recording),
            )
            if is_new:
                catalog.add_recording(description, who=description.contributor)
            catalog.submit(recording, who=description.contributor)

    def _present(self, description: RecordingFile) -> RecordingRecord | None:
        recording = description.recording
        try:
            row = self.workspace.catalog.recording(recording)
        except NotFound:
            return None
        if row.state is State.ERASED:
            raise Conflict(f"recording {recording} was taken back and erased here; record it anew to hand it in")
        if (row.video_sha256, row.contributor) != (description.video.sha256, description.contributor):
            raise Conflict(f"another recording {recording} is here already; nothing was changed")
        if row.state is State.DRAFT and (self.workspace.drafts / recording).exists():
            raise Conflict(f"recording {recording} is a draft of this very workspace; submit it without --to")
        return row

    def _check_people(self, description: RecordingFile) -> None:
        catalog, contributor = self.workspace.catalog, description.contributor
        task = catalog.task(description.task, description.task_version).task
        if description.consent.text_sha256 != task.consent_sha256:
            raise InvalidInput(
                f"the consent text that was agreed to is not that of task '{task.name}' (version "
                f"{description.task_version}) on this server; get the task from its operator and record again"
            )
        refusal = task.consent_scopes.refusal(description.consent.scopes)
        if refusal is not None:
            raise InvalidInput(f"task '{task.name}' (version {description.task_version}) on this server {refusal}")
        longest = task.consent_scopes.expires_after_days
        if longest is not None and not _ends_within(description.consent, longest):
            raise InvalidInput(f"consent to task '{task.name}' ends after {longest} days; the record names no such end")
        if contributor not in catalog.contributors():  # whose ids are not for telling
            raise NotFound("contributor", contributor, hint="ask the server's operator to enrol you")
        replaced = description.replaces
        if replaced is not None and catalog.recording(replaced).contributor != contributor:
            raise NotFound("recording", replaced, hint="a take can only replace one of the same contributor")


def _check_forms(description: RecordingFile) -> None:
    """Names become keys, and texts are shown to people: both are held to their forms here."""
    consent, origin, video = description.consent, description.origin, description.video
    for recording in (description.recording, description.replaces):
        if recording is not None and not is_recording_id(recording):
            raise InvalidInput(f"'{recording[:40]}' is no id of a recording")
    checked_name("task", description.task)
    checked_name("contributor", description.contributor)
    for digest in (video.sha256, consent.text_sha256, origin.source_sha256 or video.sha256):
        if not _SHA256.fullmatch(digest):
            raise InvalidInput(f"'{digest[:70]}' is no sha256")
    texts = (
        consent.language,
        consent.signed,
        video.codec,
        origin.device,
        origin.encoder,
        origin.ended,
        origin.source_codec,
    )
    if any(len(text) > _LONGEST_TEXT or not text.isprintable() for text in texts):
        raise InvalidInput(f"a text in recording.json is over {_LONGEST_TEXT} characters or not printable")
    if (consent.task, consent.task_version) != (description.task, description.task_version):
        raise InvalidInput("the consent record is of another task than the recording")
    if consent.agreed_at.tzinfo is None:
        raise InvalidInput("the moment of the consent has no time zone")
    if consent.expires_at is not None and consent.expires_at <= consent.agreed_at:
        raise InvalidInput("the consent ended before it was given")
    if len(set(consent.scopes)) < len(consent.scopes):
        raise InvalidInput("a scope of the consent occurs twice")


def _ends_within(consent: Consent, days: int) -> bool:
    """Whether a consent ends in time; a clock that is a day ahead is believed."""
    latest = min(consent.agreed_at, datetime.now(UTC) + timedelta(days=1)) + timedelta(days=days)
    return consent.expires_at is not None and consent.expires_at <= latest


def _check_received(description: RecordingFile, upload: Upload) -> None:
    video, received = description.video, upload.offset
    if not received == upload.length == video.size_bytes:
        raise InvalidInput(f"{received} bytes were received of a video of {video.size_bytes}; send the rest")
    if file_sha256(upload.path) != video.sha256:
        raise InvalidInput("the video received is not the one described: its sha256 differs")
    found = probe(upload.path)
    for name in _MEASURED:
        if getattr(found, name) != getattr(video, name):
            raise InvalidInput(
                f"the video received has {name} {getattr(found, name)}, not {getattr(video, name)} as described"
            )
