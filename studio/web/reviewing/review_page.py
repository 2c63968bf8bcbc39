"""The review page of the gate: the queue, the evidence beside the video, and a decision with one key."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from annotate.gate.review import ReviewEvidence, decide, next_to_review, release, take_for_review
from kinesphere.errors import NotFound
from kinesphere.names import is_recording_id
from storage.catalog import Decision, ReviewLeases, Reviews, Role
from studio.web.access.auth import Person, needs
from studio.web.http.page_rendering import render
from studio.web.http.request_bodies import body_of, parsed
from studio.web.page import Page, Studio

Reviewer = Annotated[Person, needs(Role.REVIEWER)]
_MOST_NS = 2**62
Nanoseconds = Annotated[int, Field(ge=0, le=_MOST_NS)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Next(_Body):
    """Which recording to look at next."""

    task: str | None = Field(None, max_length=64)
    language: str | None = Field(None, max_length=40)
    past: list[Annotated[str, Field(max_length=40)]] = Field(default_factory=list, max_length=1000)


class Decided(_Body):
    """What a reviewer decides, and tells the contributor."""

    decision: Decision
    words: str = Field("", max_length=5_000)
    named: list[Annotated[str, Field(max_length=100)]] = Field(default_factory=list, max_length=50)
    ranges: list[tuple[Nanoseconds, Nanoseconds]] = Field(default_factory=list, max_length=100)


def review_routes(studio: Studio) -> APIRouter:
    """The page `/review` and what it asks for."""
    workspace = studio.workspace
    routes = APIRouter()
    reviews, leases = Reviews(workspace.catalog), ReviewLeases(workspace.catalog)

    @routes.get("/review")
    def page(request: Request, _person: Reviewer) -> Response:
        tasks = [stored.task for stored in workspace.catalog.tasks()]
        languages = sorted({task.language for task in tasks})
        return render(
            request, "reviewing/review.html", tasks=[(task.name, task.title) for task in tasks], languages=languages
        )

    @routes.get("/api/reviews/queue")
    def queue(_person: Reviewer) -> JSONResponse:
        """How much waits, by task, and since when."""
        waiting = reviews.queue()
        by_task: dict[str, int] = {}
        for row in waiting:
            by_task[row.recording.task] = by_task.get(row.recording.task, 0) + 1
        oldest = min((row.asked_at for row in waiting), default=None)
        return JSONResponse(
            {"waiting": len(waiting), "by_task": by_task, "oldest": oldest.isoformat() if oldest is not None else None}
        )

    @routes.post("/api/reviews/next", openapi_extra=body_of(Next))
    async def following(request: Request, person: Reviewer) -> Response:
        """The recording that has waited longest, for this reviewer alone; 204 if nothing waits for them."""
        body = await parsed(request, Next)
        found = await run_in_threadpool(
            next_to_review, workspace, person.account, body.task, body.language, past=body.past
        )
        return JSONResponse(_shown(found)) if found is not None else Response(status_code=204)

    @routes.post("/api/reviews/release")
    def give_back(person: Reviewer) -> JSONResponse:
        """Give back what the reviewer holds, for others to take."""
        return JSONResponse({"recording": release(workspace, person.account)})

    @routes.post("/api/reviews/renew")
    def renew(person: Reviewer) -> Response:
        """Keep what the reviewer holds for as long anew; 204 if they hold nothing any more."""
        lease = leases.renew(person.account)
        if lease is None:
            return Response(status_code=204)
        return JSONResponse({"recording": lease.recording, "until": lease.until.isoformat()})

    @routes.post("/api/reviews/{recording}/take")
    def take(recording: str, person: Reviewer) -> JSONResponse:
        """Look at a recording that the reviewer names."""
        return JSONResponse(_shown(take_for_review(workspace, _checked(recording), person.account)))

    @routes.post("/api/reviews/{recording}/decide", openapi_extra=body_of(Decided))
    async def decided(recording: str, request: Request, person: Reviewer) -> JSONResponse:
        """Enter the reviewer's opinion."""
        body = await parsed(request, Decided)
        made = await run_in_threadpool(
            decide,
            workspace,
            _checked(recording),
            body.decision,
            reviewer=person.account,
            words=body.words,
            named=body.named,
            ranges=body.ranges,
        )
        return JSONResponse({"recording": made.recording, "decision": made.decision, "feedback": made.feedback})

    return routes


PAGE = Page(review_routes, (Role.REVIEWER,), name="Review", path="/review")


def _checked(recording: str) -> str:
    if not is_recording_id(recording):
        raise NotFound("recording", recording[:40])
    return recording


def _shown(evidence: ReviewEvidence) -> dict[str, Any]:
    """The evidence, without where the video lies: the page has an address of its own for it."""
    shown = asdict(evidence)
    del shown["video"], shown["open_at"]
    return shown | {"until": evidence.until.isoformat(), "templates": dict(evidence.templates)}
