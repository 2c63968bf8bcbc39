"""What the commands of contributors ask for: enter a recording, see its state, take it back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from annotate.gate.feedback import feedback_on
from kinesphere.errors import Conflict, InvalidInput, NotFound
from kinesphere.names import is_recording_id
from storage.catalog import Audit, RecordingRecord, Role
from storage.recordings.recording import RecordingFile, State
from storage.workspace import Workspace
from studio.event_log import note
from studio.web.access.auth import Person, needs
from studio.web.http.refusals import NotAllowed
from studio.web.http.request_bodies import body_of, json_object
from studio.web.page import Page, Studio
from studio.web.uploads.submissions import Submissions

Contributor = Annotated[Person, needs(Role.CONTRIBUTOR)]
ANSWER_SECONDS = 5.0
"""How long the answer to a withdrawal waits for the erasure; whoever asks waits 10 seconds."""


class SentRecording(BaseModel):
    """What `submit --to` sends, for the API's description; `storage.recordings.recording` reads it, older forms too."""

    recording: RecordingFile
    upload: str | None = None


class SentWithdrawal(BaseModel):
    """What `withdraw` sends, for the API's description."""

    video_sha256: str
    why: str = ""


def recording_routes(studio: Studio) -> APIRouter:
    """The routes below `/api/recordings` that `submit --to`, `status` and `withdraw` use."""
    workspace, uploads = studio.workspace, studio.uploads
    routes = APIRouter(prefix="/api/recordings")
    submissions, audit = Submissions(workspace, studio.recording_locks), Audit(workspace.catalog)

    @routes.post("", openapi_extra=body_of(SentRecording))
    async def take_in(request: Request, person: Contributor) -> JSONResponse:
        """A description alone is checked (202: send the video); with the id of an upload it becomes a recording."""
        sent = await json_object(request)
        upload = sent.get("upload")
        content = json.dumps(sent.get("recording")).encode()
        description, present = await run_in_threadpool(submissions.check, content)
        if not person.is_contributor(description.contributor):
            raise NotAllowed(person.account, "send recordings of another contributor")
        if present is not None and present.state != "draft":
            return JSONResponse(_shown(present))
        if not isinstance(upload, str):
            return JSONResponse({"recording": description.recording, "state": "awaited"}, 202)
        async with uploads.locked(upload, person.account):
            received = uploads.find(upload, person.account)
            try:
                made = await uploads.look_into(submissions.accept, description, received)
            except InvalidInput:
                if received.offset == received.length:
                    uploads.remove(received)  # whole and wrong: going on with it would never help
                raise
            except (Conflict, NotFound):  # it was taken back, or its contributor erased, in this very moment
                uploads.remove(received)
                raise
            uploads.remove(received)
        note(
            "recording submitted", recording=made.recording, task=made.task, upload=received.upload, frames=made.frames
        )
        return JSONResponse(_shown(made), 201)

    @routes.get("/{recording}")
    def show(recording: str, person: Contributor) -> JSONResponse:
        """A recording's state, and what reviewers tell its contributor."""
        row = own_recording(workspace, recording, person)
        reviews = [
            {"decision": review.decision, "feedback": review.feedback, "at": review.at.isoformat()}
            for review in workspace.catalog.reviews(recording)
            if row.state != "flagged"  # not while others are still asked
        ]
        feedback = asdict(feedback_on(workspace.catalog, recording))
        return JSONResponse({**_shown(row), "reviews": reviews, "feedback": feedback})

    @routes.post("/{recording}/withdraw", openapi_extra=body_of(SentWithdrawal))
    async def withdraw(recording: str, request: Request, person: Contributor) -> JSONResponse:
        """Take a recording back; the hash of its video shows that whoever asks has made it.

        It is erased at once. The answer waits for that a little: it says "erased", or "withdrawn" while it goes on.
        """
        sent = await json_object(request)
        own = await run_in_threadpool(own_recording, workspace, recording, person)
        if own.contributor != person.contributor:
            await run_in_threadpool(audit.note, person.account, "erasure asked for", recording)
        row = await run_in_threadpool(submissions.withdraw, recording, sent)
        note("recording withdrawn", recording=row.recording)
        is_erased = await run_in_threadpool(studio.erasure_thread.erase_soon, recording, wait_seconds=ANSWER_SECONDS)
        return JSONResponse({**_shown(row), "state": "erased" if is_erased else "withdrawn"})

    return routes


PAGE = Page(recording_routes, (Role.CONTRIBUTOR,))


def own_recording(workspace: Workspace, recording: str, person: Person) -> RecordingRecord:
    """A recording that the person made, or that is erased and nobody's any more; an operator may have any.

    Raises:
        NotFound: there is none of this id, or it is somebody else's: which of the two is not for telling.
    """
    if not is_recording_id(recording):
        raise NotFound("recording", recording[:40])
    row = workspace.catalog.recording(recording)
    if row.state is not State.ERASED and not person.is_contributor(row.contributor):
        raise NotFound("recording", recording, hint="see: kinesphere status")
    return row


def _shown(row: RecordingRecord) -> dict[str, str]:
    return {"recording": row.recording, "state": row.state.value, "video_sha256": row.video_sha256}
