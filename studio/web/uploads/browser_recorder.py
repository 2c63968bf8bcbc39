"""The browser recorder: its page, and what makes an upload that was recorded there into a submitted recording."""

from __future__ import annotations

import dataclasses
import threading
from collections import defaultdict
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.task_criteria import limits_of
from capture.drafts.outbox import submit, take
from kinesphere.errors import Conflict, InvalidInput, NotFound
from kinesphere.names import is_recording_id
from storage.catalog import RecordingRecord, Role
from storage.recordings.consent import SCOPES, Agreement, Scope
from storage.recordings.recording import MOST_MOMENTS, Origin, State
from storage.workspace import Workspace
from studio.event_log import note
from studio.web.access.auth import Person, needs
from studio.web.http.page_rendering import render
from studio.web.http.request_bodies import body_of, parsed
from studio.web.page import Page, Studio
from studio.web.uploads.take_import import import_take
from studio.web.uploads.upload_files import Upload, Uploads

Contributor = Annotated[Person, needs(Role.CONTRIBUTOR)]
SEEN_BEFORE = ("brightness", "clipped_share", "shorter_side_pixels", "frame_rate")
"""The checks whose advice the page can give before a take."""


class NewTake(BaseModel):
    """What the page says of a take whose video was uploaded."""

    model_config = ConfigDict(extra="forbid")
    recording: str = Field(max_length=40)
    """The id, chosen by the page when it began, so that a lost answer can be asked for again."""
    upload: str = Field(max_length=40)
    task: str = Field(max_length=64)
    consent_sha256: str = Field(max_length=64)
    """Of the text that was shown."""
    scopes: list[Scope] = Field(max_length=len(SCOPES))
    signed: str = Field("", max_length=100)
    contributor: str | None = Field(None, max_length=64)
    """For operators, who may record for any."""
    replaces: str | None = Field(None, max_length=40)
    device: str = Field("", max_length=200)
    started_at: AwareDatetime | None = None
    recovered: bool = False
    """Whether the page was closed before the take ended."""


@dataclasses.dataclass(frozen=True)
class Takes:
    """Where takes that a browser recorded enter a workspace."""

    workspace: Workspace
    uploads: Uploads
    locks: defaultdict[str, threading.Lock]
    """By id of a recording; shared with all else that takes recordings in."""

    def check(self, new_take: NewTake, person: Person) -> str:
        """Hold a take to what this workspace knows; gives its contributor.

        Raises:
            NotFound: the task or the contributor is not known, or not theirs.
            InvalidInput: another consent text was shown, it is not signed, or a field has the wrong form.
            Conflict: it replaces a recording that is none of theirs, or does not wait to be replaced.
        """
        if not is_recording_id(new_take.recording):
            raise InvalidInput(f"'{new_take.recording[:40]}' is no id of a recording")
        contributor = new_take.contributor or person.contributor
        if contributor is None or not person.is_contributor(contributor):
            raise NotFound("contributor", (contributor or person.account)[:64], hint="ask your operator to enrol you")
        task = self.workspace.catalog.task(new_take.task).task
        if new_take.consent_sha256 != task.consent_sha256:
            raise Conflict("the consent text has changed meanwhile; reload the page and read it again")
        if task.consent_signed and not new_take.signed.strip():
            raise InvalidInput("this task wants the consent signed; type your name or initials")
        if not (new_take.signed.isprintable() and new_take.device.isprintable()):
            raise InvalidInput("a text is not printable")
        if new_take.replaces is not None:
            self._check_replaced(new_take.replaces, new_take.task, contributor)
        return contributor

    def accept(self, new_take: NewTake, contributor: str, upload: Upload) -> RecordingRecord:
        """Make a received upload a submitted recording. Repeated it does nothing more.

        Raises:
            InvalidVideo: it is no video that can be used.
            InvalidInput: the consent does not cover what the task requires.
            StorageFailed: the store or the catalog refused.
        """
        catalog = self.workspace.catalog
        with self.locks[new_take.recording]:
            present = self.present(new_take.recording, contributor)
            if present is None:
                take(
                    self.workspace,
                    kind="import",
                    task=new_take.task,
                    contributor=contributor,
                    agreement=Agreement("ticked", new_take.signed.strip(), tuple(new_take.scopes)),
                    capture=lambda video: self._captured(new_take, upload.path, video),
                    replaces=new_take.replaces,
                    recording=new_take.recording,
                )
            if present is None or present.state is State.DRAFT:
                submit(self.workspace, new_take.recording)
            return catalog.recording(new_take.recording)

    def present(self, recording: str, contributor: str) -> RecordingRecord | None:
        """The recording, if it is here already.

        Raises:
            Conflict: it is somebody else's.
        """
        try:
            row = self.workspace.catalog.recording(recording)
        except NotFound:
            return None
        if row.contributor != contributor:
            raise Conflict(f"another recording {recording} is here already; nothing was changed")
        return row

    def _captured(self, new_take: NewTake, source: Path, video: Path) -> Origin:
        report = import_take(source, video, most_bytes=self.uploads.limit)
        return Origin(
            kind="camera",
            device=new_take.device or "a browser's camera",
            encoder="browser",
            started_at=new_take.started_at,
            ended="interrupted" if new_take.recovered else "asked",
            source_codec=report.source_codec,
            transcoded=report.transcoded,
            damaged_ns=report.damaged,
            retimed_ns=report.retimed[:MOST_MOMENTS],
            reshaped_ns=report.reshaped[:MOST_MOMENTS],
            focal_length_35mm=report.focal_length_35mm,
        )

    def _check_replaced(self, recording: str, task: str, contributor: str) -> None:
        row = self.workspace.catalog.recording(recording) if is_recording_id(recording) else None
        if row is None or row.contributor != contributor:
            raise NotFound("recording", recording[:40], hint="a take can only replace one of the same contributor")
        if row.task != task or row.state not in (State.RETURNED, State.REJECTED):
            raise Conflict(f"recording {recording} ({row.task}, {row.state}) does not wait to be recorded again")


def take_routes(studio: Studio) -> APIRouter:
    """The page `/record/{task}` and what it asks for."""
    workspace, uploads = studio.workspace, studio.uploads
    routes = APIRouter()
    takes = Takes(workspace, uploads, studio.recording_locks)

    @routes.get("/record/{task}")
    def page(
        request: Request,
        task: str,
        person: Contributor,
        replaces: str | None = None,
        contributor: str | None = None,
    ) -> Response:
        stored = workspace.catalog.task(task)
        who = person.contributor or contributor
        if who is None:
            return render(
                request,
                "uploads/choose_recording_contributor.html",
                task=stored.task,
                contributors=workspace.catalog.contributors(),
            )
        if not person.is_contributor(who) or who not in workspace.catalog.contributors():
            raise NotFound("contributor", who[:64], hint="ask your operator to enrol you")
        rule = stored.task.consent_scopes
        minimum = limits_of(stored.task.criteria)
        data = {
            "task": task,
            "contributor": who,
            "own": who == person.contributor,
            "consent_sha256": stored.task.consent_sha256,
            "replaces": replaces,
            "required": list(rule.required),
            "seconds": minimum["duration_seconds"].doubt,
            "side": minimum["shorter_side_pixels"].doubt,
            "rate": minimum["frame_rate"].doubt,
            "brightness": minimum["brightness"].doubt,
            "advice": {check: BUILT_IN[check].advice for check in SEEN_BEFORE},
        }
        return render(
            request,
            "uploads/record.html",
            task=stored.task,
            offered=rule.offered,
            scopes=SCOPES,
            data=data,
            replaces=replaces,
        )

    @routes.post("/api/takes", openapi_extra=body_of(NewTake))
    async def take_in(request: Request, person: Contributor) -> JSONResponse:
        """Make an upload that the recorder page sent a submitted recording."""
        new_take = await parsed(request, NewTake)
        contributor = await run_in_threadpool(takes.check, new_take, person)
        present = await run_in_threadpool(takes.present, new_take.recording, contributor)
        if present is not None and present.state is not State.DRAFT:
            return JSONResponse(_shown(present))
        async with uploads.locked(new_take.upload, person.account):
            received = uploads.find(new_take.upload, person.account)
            if received.length is None or received.offset != received.length or not received.length:
                raise InvalidInput(f"{received.offset} bytes of the video have arrived, and not all; send the rest")
            made = await uploads.look_into(takes.accept, new_take, contributor, received)
            uploads.remove(received)
        note(
            "recording submitted", recording=made.recording, task=made.task, upload=received.upload, frames=made.frames
        )
        return JSONResponse(_shown(made), 201)

    return routes


PAGE = Page(take_routes, (Role.CONTRIBUTOR,))


def _shown(row: RecordingRecord) -> dict[str, object]:
    return {
        "recording": row.recording,
        "state": row.state.value,
        "seconds": row.duration_ns / 1e9,
        "frames": row.frames,
    }
