"""What the commands of contributors ask for: enter a recording, see its state, take it back."""

from __future__ import annotations

import json
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from annotate.feedback import feedback_on
from storage.catalog import RecordingRecord
from storage.errors import InvalidInput, NotFound
from storage.names import is_recording_id
from storage.workspace import Workspace

from .identity import Role, needs
from .requests import json_object
from .submissions import Submissions
from .uploads import Uploads


def recording_routes(workspace: Workspace, uploads: Uploads) -> APIRouter:
    """The routes below `/api/recordings` that `submit --to`, `status` and `withdraw` use."""
    routes = APIRouter(prefix="/api/recordings", dependencies=[needs(Role.CONTRIBUTOR)])
    submissions = Submissions(workspace)

    @routes.post("")
    async def take_in(request: Request) -> JSONResponse:
        """A description alone is checked (202: send the video); with the id of an upload it becomes a recording."""
        sent = await json_object(request)
        upload = sent.get("upload")
        content = json.dumps(sent.get("recording")).encode()
        description, present = await run_in_threadpool(submissions.check, content)
        if present is not None and present.state != "draft":
            return JSONResponse(_shown(present))
        if not isinstance(upload, str):
            return JSONResponse({"recording": description.recording, "state": "awaited"}, 202)
        async with uploads.alone(upload):
            received = uploads.find(upload)
            try:
                made = await run_in_threadpool(submissions.accept, description, received)
            except InvalidInput:
                if received.offset == received.length:
                    uploads.remove(received)  # whole and wrong: going on with it would never help
                raise
            uploads.remove(received)
        return JSONResponse(_shown(made), 201)

    @routes.get("/{recording}")
    def show(recording: str) -> JSONResponse:
        """A recording's state, and what reviewers tell its contributor."""
        if not is_recording_id(recording):
            raise NotFound("recording", recording[:40])
        row = workspace.catalog.recording(recording)
        reviews = [
            {"decision": review.decision, "feedback": review.feedback, "at": review.at.isoformat()}
            for review in workspace.catalog.reviews(recording)
            if row.state != "flagged"  # not while others are still asked
        ]
        feedback = asdict(feedback_on(workspace.catalog, recording))
        return JSONResponse({**_shown(row), "reviews": reviews, "feedback": feedback})

    @routes.post("/{recording}/withdraw")
    async def withdraw(recording: str, request: Request) -> JSONResponse:
        """Take a recording back; the hash of its video shows that whoever asks has made it."""
        sent = await json_object(request)
        return JSONResponse(_shown(await run_in_threadpool(submissions.withdraw, recording, sent)))

    return routes


def _shown(row: RecordingRecord) -> dict[str, str]:
    return {"recording": row.recording, "state": row.state.value, "video_sha256": row.video_sha256}
