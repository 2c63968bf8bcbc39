"""Labelling: annotations and the operations on them, the queue that gives them out, and other tabs' changes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from annotate.labels.labelling import Labelling
from kinesphere.errors import InvalidInput
from kinesphere.names import checked_name
from storage.catalog import AnnotationRecord, Applied, Audit, InvalidOperation, LabelConflict, OperationRecord, Role
from studio.web.access.auth import Person, needs
from studio.web.http.refusals import NotAllowed
from studio.web.http.request_bodies import body_of
from studio.web.labelling.label_events import LabelEvents
from studio.web.labelling.label_messages import (
    LARGEST,
    SentBegin,
    SentDone,
    SentNext,
    SentOperations,
    SentPriority,
    SentRestore,
    SentSkip,
    annotator_of,
    checked_annotation,
    checked_recording,
    sent,
    sent_operations,
    shown_annotation,
    shown_applied,
    shown_changes,
    shown_conflict,
    shown_difference,
    shown_operation,
    shown_refusal,
    shown_segment,
    shown_waiting,
)
from studio.web.page import Page, Studio

AnnotatorOnly = Annotated[Person, needs(Role.ANNOTATOR)]
OperatorOnly = Annotated[Person, needs(Role.OPERATOR)]
Revision = Annotated[int, Query(ge=0, le=LARGEST)]


def labelling_routes(studio: Studio) -> APIRouter:
    """The routes of the labelling page. An annotator uses their own annotations, an operator all."""
    routes = APIRouter(prefix="/api")
    labelling = Labelling(studio.workspace)
    events = LabelEvents(labelling.operations)
    routes.include_router(_operation_routes(labelling, events))
    routes.include_router(_annotation_routes(labelling, events))
    routes.include_router(_queue_routes(labelling))
    return routes


PAGE = Page(labelling_routes)


def _annotation_routes(labelling: Labelling, events: LabelEvents) -> APIRouter:
    routes = APIRouter()
    annotations = labelling.annotations

    @routes.get("/annotations/{annotation}")
    def show(
        annotation: str, person: AnnotatorOnly, revision: Annotated[int | None, Query(ge=0, le=LARGEST)] = None
    ) -> JSONResponse:
        """An annotation with its segments, as they are or were at a revision."""
        record = _readable(labelling, annotation, person)
        found = labelling.operations.segments(record.annotation, revision)
        return JSONResponse({**shown_annotation(record), "segments": [shown_segment(segment) for segment in found]})

    @routes.post("/annotations/{annotation}/renew")
    def renew(annotation: str, person: AnnotatorOnly) -> JSONResponse:
        """The heartbeat of a page that is open: keep the recording."""
        return JSONResponse(shown_annotation(annotations.renew(_own(labelling, annotation, person).annotation)))

    @routes.post("/annotations/{annotation}/done", openapi_extra=body_of(SentDone, required=False))
    async def done(annotation: str, request: Request, person: AnnotatorOnly) -> JSONResponse:
        """The annotation is complete, as of the revision sent (if one is)."""
        revision = (await sent(request, SentDone)).revision

        def finish() -> AnnotationRecord:
            return annotations.done(_own(labelling, annotation, person).annotation, revision=revision)

        record = await run_in_threadpool(finish)
        events.tell(record.annotation)
        return JSONResponse(shown_annotation(record))

    @routes.post("/annotations/{annotation}/reopen")
    def reopen(annotation: str, person: AnnotatorOnly) -> JSONResponse:
        """Go on with what was done or skipped."""
        return JSONResponse(shown_annotation(annotations.reopen(_own(labelling, annotation, person).annotation)))

    @routes.post("/annotations/{annotation}/skip", openapi_extra=body_of(SentSkip))
    async def skip(annotation: str, request: Request, person: AnnotatorOnly) -> JSONResponse:
        """Leave the recording to others, and say why."""
        reason = (await sent(request, SentSkip)).reason

        def pass_over() -> AnnotationRecord:
            return annotations.skip(_own(labelling, annotation, person).annotation, reason=reason)

        return JSONResponse(shown_annotation(await run_in_threadpool(pass_over)))

    @routes.post("/recordings/{recording}/annotations", openapi_extra=body_of(SentBegin, required=False))
    async def begin(recording: str, request: Request, person: AnnotatorOnly) -> JSONResponse:
        """Label a recording that is named (201), or go on with it (200)."""
        purpose = (await sent(request, SentBegin)).purpose
        record, is_new = await run_in_threadpool(
            annotations.begin, checked_recording(recording), annotator_of(person), purpose
        )
        return JSONResponse(shown_annotation(record), 201 if is_new else 200)

    @routes.get("/recordings/{recording}/annotations")
    def of_recording(recording: str, person: OperatorOnly) -> JSONResponse:
        """All annotations of a recording."""
        name = labelling.workspace.catalog.recording(checked_recording(recording)).recording
        return JSONResponse({"annotations": [shown_annotation(record) for record in annotations.of_recording(name)]})

    @routes.get("/adjudications/{annotation}")
    def sides(annotation: str, person: AnnotatorOnly) -> JSONResponse:
        """The two annotations that an adjudication decides between, where they differ, and what is decided."""
        record = _own(labelling, annotation, person)
        shown = [
            {**shown_annotation(side), "segments": [shown_segment(segment) for segment in segments]}
            for side, segments in labelling.sides(record)
        ]
        found, done = labelling.differences(record)
        return JSONResponse(
            {
                "adjudication": shown_annotation(record),
                "sides": shown,
                "differences": [shown_difference(one, is_decided=one.segment in done) for one in found],
            }
        )

    return routes


def _operation_routes(labelling: Labelling, events: LabelEvents) -> APIRouter:
    routes = APIRouter(prefix="/annotations/{annotation}")
    operations = labelling.operations

    @routes.post("/operations", openapi_extra=body_of(SentOperations))
    async def apply(annotation: str, request: Request, person: AnnotatorOnly) -> JSONResponse:
        """Change segments; see docs/decisions/0031-label-operations.md."""
        try:
            body = await sent_operations(request)
        except InvalidOperation as refused:
            return JSONResponse(shown_refusal(refused), 422)

        def do() -> tuple[JSONResponse, Sequence[OperationRecord]]:
            record = _own(labelling, annotation, person)
            drafts = [operation.draft() for operation in body]
            try:
                applied = labelling.apply(record, drafts, who=person.account)
            except LabelConflict as conflict:
                return JSONResponse(shown_conflict(conflict), 409), ()
            except InvalidOperation as refused:
                return JSONResponse(shown_refusal(refused), 422), ()
            return JSONResponse(shown_applied(applied)), applied.log

        answer, log = await run_in_threadpool(do)
        events.tell(annotation, log)
        return answer

    @routes.post("/restore", openapi_extra=body_of(SentRestore))
    async def restore(annotation: str, request: Request, person: AnnotatorOnly) -> JSONResponse:
        """Bring back the segments of a revision, by one more operation."""
        body = await sent(request, SentRestore)

        def do() -> Applied:
            name = _own(labelling, annotation, person).annotation
            operation = body.operation or secrets.token_hex(16)
            return operations.restore(name, body.revision, operation=operation, who=person.account)

        applied = await run_in_threadpool(do)
        events.tell(annotation, applied.log)
        return JSONResponse(shown_applied(applied))

    @routes.get("/changes")
    def changes(annotation: str, person: AnnotatorOnly, after: Revision = 0) -> JSONResponse:
        """The operations after a revision, oldest first; `more` says that there are later ones to ask for."""
        record = _readable(labelling, annotation, person)
        found = operations.changes(record.annotation, after=after)
        last = found[-1].revision if found else record.revision
        more = last < record.revision
        return JSONResponse({"operations": shown_changes(found), "revision": last, "more": more})

    @routes.get("/history")
    def history(
        annotation: str,
        person: AnnotatorOnly,
        before: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> JSONResponse:
        """Who did what when, newest first."""
        record = _readable(labelling, annotation, person)
        found = operations.history(record.annotation, before=before, limit=limit)
        return JSONResponse({"operations": [shown_operation(operation) for operation in found]})

    @routes.get("/events")
    async def stream(
        annotation: str, request: Request, person: AnnotatorOnly, after: Revision = 0
    ) -> StreamingResponse:
        """The same as server-sent events, as they happen; a browser that comes back goes on where it was."""
        record = await run_in_threadpool(_readable, labelling, annotation, person)
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else after
        return StreamingResponse(
            await events.opened(record.annotation, after),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    return routes


def _queue_routes(labelling: Labelling) -> APIRouter:
    routes = APIRouter(prefix="/labelling")
    queue = labelling.queue

    @routes.post("/next", openapi_extra=body_of(SentNext, required=False))
    async def give_next(request: Request, person: AnnotatorOnly) -> Response:
        """The next recording to label, as an annotation that is kept for who asks; 204 if nothing waits."""
        body = await sent(request, SentNext)
        past = [checked_recording(recording) for recording in body.past]

        def give() -> AnnotationRecord | None:
            return queue.next(annotator_of(person), task=body.task, language=body.language, past=past)

        found = await run_in_threadpool(give)
        return JSONResponse(shown_annotation(found)) if found is not None else Response(status_code=204)

    @routes.get("/queue")
    def waiting(person: AnnotatorOnly) -> JSONResponse:
        """How many recordings of each task wait for who asks; operators also see which, and who skipped them why."""
        shown: dict[str, object] = {"tasks": queue.counts(annotator_of(person))}
        if person.may(Role.OPERATOR):
            shown["recordings"] = [shown_waiting(found) for found in queue.waiting()]
        return JSONResponse(shown)

    @routes.get("/progress")
    def progress(person: AnnotatorOnly, since: Annotated[datetime | None, Query()] = None) -> JSONResponse:
        """What who asks has done since a moment; without one, since midnight (UTC)."""
        now = datetime.now(UTC)
        since = since or now.replace(hour=0, minute=0, second=0, microsecond=0)
        since = since if since.tzinfo is not None else since.replace(tzinfo=UTC)
        if not timedelta(0) <= now - since <= timedelta(days=366):
            raise InvalidInput("progress is told for a moment within the last year")
        done = queue.progress(person.account, since=since)
        return JSONResponse({"since": since.isoformat(), **vars(done)})

    @routes.put("/priority", openapi_extra=body_of(SentPriority))
    async def prioritise(request: Request, person: OperatorOnly) -> JSONResponse:
        """Let a task's recordings, or one recording, be labelled before or after the rest (0)."""
        body = await sent(request, SentPriority)
        if (body.task is None) == (body.recording is None):
            raise InvalidInput("a priority is of a task or of a recording: name one of them")

        def enter() -> None:
            if body.task is not None:
                labelling.workspace.catalog.task(checked_name("task", body.task))
            recording = checked_recording(body.recording) if body.recording is not None else None
            queue.set_priority(body.priority, task=body.task, recording=recording)
            subject = body.task or recording or ""
            Audit(labelling.workspace.catalog).note(person.account, "priority set", subject, str(body.priority))

        await run_in_threadpool(enter)
        return JSONResponse(body.model_dump())

    return routes


def _readable(labelling: Labelling, annotation: str, person: Person) -> AnnotationRecord:
    record = labelling.annotations.get(checked_annotation(annotation))
    if not labelling.may_read(record, annotator_of(person)):
        raise NotAllowed(person.account, "see what another annotator has made")
    return record


def _own(labelling: Labelling, annotation: str, person: Person) -> AnnotationRecord:
    record = labelling.annotations.get(checked_annotation(annotation))
    if not labelling.may_change(record, annotator_of(person)):
        raise NotAllowed(person.account, "change what another annotator has made")
    return record
