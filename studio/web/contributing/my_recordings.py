"""The contributor's page: my recordings, what became of them, how to do better, and taking them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from annotate.gate.feedback import clock_time, feedback_on
from kinesphere.errors import InvalidInput, NotFound
from storage.catalog import Attributes, Audit, RecordingRecord, Role
from storage.catalog.people.attributes import ATTRIBUTES
from storage.recordings.recording import State
from studio.pipeline.withdrawal import TakenBack, take_back
from studio.web.access.auth import Person, needs
from studio.web.contributing.recording_routes import own_recording
from studio.web.http.page_rendering import render
from studio.web.http.request_bodies import body_of, parsed
from studio.web.page import Page, Studio

Contributor = Annotated[Person, needs(Role.CONTRIBUTOR)]
MEANING: Mapping[State, str] = {
    State.DRAFT: "not handed in yet",
    State.SUBMITTED: "waits to be checked",
    State.FLAGGED: "somebody looks at it",
    State.ACCEPTED: "accepted, thank you",
    State.RETURNED: "please record it again",
    State.REJECTED: "could not be used",
    State.WITHDRAWN: "taken back, being erased",
    State.ERASED: "erased",
}
"""What a state means to the contributor."""
KIND = {State.ACCEPTED: "good", State.RETURNED: "doubt", State.REJECTED: "bad"}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    contributor: str | None = Field(None, max_length=64)
    """For operators, who may act for any."""


class TakeBack(_Body):
    """Which recordings to take back; None: all."""

    recordings: list[Annotated[str, Field(max_length=40)]] | None = Field(max_length=10_000)
    why: str = Field("", max_length=200)


class Declared(_Body):
    """What a contributor declares about themselves; "" forgets it."""

    attributes: dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=40)]] = Field(max_length=20)


def my_recordings_routes(studio: Studio) -> APIRouter:
    """The pages below `/mine` and what they ask for."""
    workspace = studio.workspace
    routes = APIRouter()
    catalog = workspace.catalog

    @routes.get("/mine")
    def page(request: Request, person: Contributor, contributor: str | None = None) -> Response:
        known = catalog.contributors() if person.may() else []
        if person.contributor is None and contributor is None:
            return render(request, "contributing/choose_contributor.html", contributors=known)
        who = _whose(person, contributor, known)
        rows = list(reversed(catalog.recordings(contributor=who)))
        replaced = {row.replaces for row in rows if row.state not in (State.WITHDRAWN, State.ERASED)}
        return render(
            request,
            "contributing/my_recordings.html",
            contributor=who,
            recordings=[_Line.of(row, is_replaced=row.recording in replaced) for row in rows],
            tasks=[(stored.task.name, stored.task.title) for stored in catalog.tasks()],
            attributes=ATTRIBUTES,
            declared=Attributes(catalog).all().get(who, {}),
        )

    @routes.get("/mine/{recording}")
    def one(request: Request, recording: str, person: Contributor) -> Response:
        row = own_recording(workspace, recording, person)
        if row.state in (State.WITHDRAWN, State.ERASED):
            raise NotFound("recording", recording, hint="it was taken back")
        feedback = feedback_on(catalog, recording)
        task = catalog.task(row.task, row.task_version).task
        return render(
            request,
            "contributing/my_recording.html",
            row=row,
            line=_Line.of(row, is_replaced=bool(feedback.replaced_by)),
            task=task,
            feedback=feedback,
            clock=clock_time,
            data={"recording": recording, "contributor": row.contributor},
        )

    @routes.post("/api/mine/take-back", openapi_extra=body_of(TakeBack))
    async def taken_back(request: Request, person: Contributor) -> JSONResponse:
        """Withdraw recordings and erase them; it answers when they are gone."""
        body = await parsed(request, TakeBack)
        who = _whose(person, body.contributor, catalog.contributors())
        if not body.why.isprintable():
            raise InvalidInput("the reason should be one line")

        def take() -> TakenBack:
            if who != person.contributor:
                # Before it is done: an erasure also takes the contributor's id out of the trail.
                Audit(catalog).note(person.account, "erasure asked for", who, _counted(body.recordings))
            return take_back(workspace, who, body.recordings, why=body.why)

        return JSONResponse(asdict(await run_in_threadpool(take)))

    @routes.post("/api/mine/attributes", openapi_extra=body_of(Declared))
    async def declare(request: Request, person: Contributor) -> JSONResponse:
        """Keep what the contributor declares, and agrees by declaring it that it is kept."""
        body = await parsed(request, Declared)
        who = _whose(person, body.contributor, catalog.contributors())

        def keep() -> dict[str, str]:
            attributes = Attributes(catalog)
            attributes.describe(who, {name: value for name, value in body.attributes.items() if value})
            attributes.forget(who, [name for name, value in body.attributes.items() if not value])
            return attributes.all().get(who, {})

        return JSONResponse({"attributes": await run_in_threadpool(keep)})

    return routes


PAGE = Page(my_recordings_routes, (Role.CONTRIBUTOR,), name="My recordings", path="/mine")


class _Line(BaseModel):
    """A recording as it is listed."""

    recording: str
    task: str
    when: str
    length: str
    state: str
    meaning: str
    kind: str
    can_be_seen: bool
    can_be_recorded_again: bool

    @classmethod
    def of(cls, row: RecordingRecord, *, is_replaced: bool) -> _Line:
        is_withdrawn = row.state in (State.WITHDRAWN, State.ERASED)
        again = row.state in (State.RETURNED, State.REJECTED)
        return cls(
            recording=row.recording,
            task=row.task,
            when=f"{row.created_at:%Y-%m-%d %H:%M}",
            length=clock_time(row.duration_ns),
            state=row.state.value,
            meaning="you recorded it again" if again and is_replaced else MEANING[row.state],
            kind="" if is_replaced else KIND.get(row.state, ""),
            can_be_seen=not is_withdrawn,
            can_be_recorded_again=again and not is_replaced,
        )


def _counted(recordings: Sequence[str] | None) -> str:
    return "all recordings" if recordings is None else f"{len(recordings)} recordings"


def _whose(person: Person, contributor: str | None, known: Sequence[str]) -> str:
    """Whose page it is: one's own; an operator may name any.

    Raises:
        NotFound: there is no such contributor, or it is not theirs to see.
    """
    chosen = contributor or person.contributor
    if chosen is None or not person.is_contributor(chosen) or (chosen != person.contributor and chosen not in known):
        raise NotFound("contributor", (contributor or person.account)[:64], hint="ask your operator")
    return chosen
