"""The operator's pages of tasks: write one, see what its criteria would have made of past recordings, and keep it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import tomli_w
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from annotate.checks.built_in_checks import BUILT_IN
from annotate.checks.plugins import refuse_wrong_way
from annotate.checks.task_criteria import changed_criteria, completed
from annotate.gate.criteria_preview import preview_criteria
from kinesphere.errors import Conflict
from storage.catalog import Audit, Role, StoredTask
from storage.tasks.task import Task, parse_task
from studio.web.access.auth import Person, needs
from studio.web.http.page_rendering import render
from studio.web.http.request_bodies import body_of, parsed
from studio.web.page import Page, Studio

Operator = Annotated[Person, needs(Role.OPERATOR)]

TEMPLATE = """name = "pour-water"
title = "Pour water from a bottle into a glass"
instructions = "Sit at a table, the glass before you, and pour it half full."
consent = "I agree that this recording is used to train robots."

[criteria]
brightness = { doubt = 40, fail = 10 }

[labels]
verbs = ["reach", "grasp", "pour", "place"]
"""


class Draft(BaseModel):
    """A task as it is being written."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(max_length=200_000)
    version: int | None = None
    """The version that it was made from; None for a new task."""


def task_routes(studio: Studio) -> APIRouter:
    """The pages below `/tasks` and what they ask for."""
    workspace = studio.workspace
    routes = APIRouter()
    catalog, audit = workspace.catalog, Audit(workspace.catalog)

    @routes.get("/tasks")
    def tasks(request: Request, _person: Operator) -> Response:
        return render(request, "operating/tasks.html", tasks=catalog.tasks())

    @routes.get("/tasks/new")
    def new(request: Request, _person: Operator) -> Response:
        return _editor(request, None, TEMPLATE)

    @routes.get("/tasks/{name}")
    def edit(request: Request, name: str, _person: Operator) -> Response:
        stored = catalog.task(name)
        return _editor(request, stored, task_text(stored.task))

    @routes.post("/api/tasks/preview", openapi_extra=body_of(Draft))
    async def preview(request: Request, _person: Operator) -> JSONResponse:
        """What the criteria would have made of this task's past recordings."""
        task = parse_task((await parsed(request, Draft)).text, complete=completed)
        await run_in_threadpool(refuse_wrong_way, task.criteria.plugins)
        found = await run_in_threadpool(preview_criteria, catalog, task.name, task.criteria)
        return JSONResponse({"task": task.name, **asdict(found)})

    @routes.post("/api/tasks", openapi_extra=body_of(Draft))
    async def keep(request: Request, person: Operator) -> JSONResponse:
        """Keep the task as its next version, unless somebody else has made one meanwhile."""
        body = await parsed(request, Draft)
        task = parse_task(body.text, complete=completed)

        def store() -> tuple[StoredTask, bool]:
            refuse_wrong_way(task.criteria.plugins)
            newest = max((one.version for one in catalog.tasks() if one.task.name == task.name), default=None)
            if newest != body.version:
                raise Conflict(
                    f"task '{task.name}' is at version {newest} by now; open it again and make your change there"
                    if newest is not None
                    else f"there is no task '{task.name}' of which this could be a version; write it as a new task"
                )
            stored, is_new = catalog.add_task(task)
            if is_new:
                audit.note(person.account, "task kept", task.name, f"version {stored.version}")
            return stored, is_new

        stored, is_new = await run_in_threadpool(store)
        return JSONResponse({"task": task.name, "version": stored.version, "is_new": is_new})

    return routes


PAGE = Page(task_routes, (Role.OPERATOR,), name="Tasks", path="/tasks")


def task_text(task: Task) -> str:
    """A task as its author would write it: what is as by default is left out."""
    changed = task.model_copy(update={"criteria": changed_criteria(task.criteria)})
    content = changed.model_dump(mode="json", exclude_defaults=True)
    return tomli_w.dumps(_without_nothing(content), multiline_strings=False)


def _without_nothing(content: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null."""
    return {
        key: _without_nothing(value) if isinstance(value, dict) else value
        for key, value in content.items()
        if value is not None
    }


def _editor(request: Request, stored: StoredTask | None, text: str) -> Response:
    checks = [
        (check.name, check.meaning, check.unit, check.direction == "at least", check.default)
        for check in BUILT_IN.values()
    ]
    data = {"version": stored.version if stored is not None else None}
    return render(request, "operating/task.html", stored=stored, text=text, checks=checks, data=data)
