"""The pages of annotators: what waits for them, the editor of one annotation, and its history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from annotate.labels.labelling import Labelling
from storage.catalog import AnnotationRecord, Role
from storage.catalog.labels.label_work import LabelledRecording, annotations_by
from storage.recordings.segment import TRACKS
from storage.tasks.task import Task
from storage.workspace import Workspace
from studio.web.access.auth import Person, needs
from studio.web.http.page_rendering import render
from studio.web.http.refusals import NotAllowed
from studio.web.labelling.label_messages import annotator_of, checked_annotation, shown_operation
from studio.web.page import Page, Studio

AnnotatorOnly = Annotated[Person, needs(Role.ANNOTATOR)]
HISTORY = 1000
"""Operations that the history shows."""


def label_pages(studio: Studio) -> APIRouter:
    """The pages below `/label`."""
    workspace = studio.workspace
    routes = APIRouter(prefix="/label")
    labelling = Labelling(workspace)

    @routes.get("")
    def home(request: Request, person: AnnotatorOnly) -> Response:
        """What waits, by task and language, and what the annotator has done."""
        counts = labelling.queue.counts(annotator_of(person))
        tasks = {stored.task.name: stored.task for stored in workspace.catalog.tasks()}
        waiting = [
            {"name": name, "title": tasks[name].title, "language": tasks[name].language, "count": count}
            for name, count in sorted(counts.items(), key=lambda item: tasks[item[0]].title)
            if count
        ]
        labelled = [_shown(work, tasks) for work in annotations_by(workspace.catalog, person.account)]
        data = {"account": person.account}
        return render(request, "labelling/label_home.html", waiting=waiting, labelled=labelled, data=data)

    @routes.get("/{annotation}")
    def edit(request: Request, annotation: str, person: AnnotatorOnly) -> Response:
        """The editor of one annotation."""
        record = _own(labelling, annotation, person)
        task = _task_of(workspace, record)
        data = {
            "annotation": record.annotation,
            "recording": record.recording,
            "account": person.account,
            "tracks": TRACKS,
            "labels": task.labels.model_dump(mode="json"),
        }
        return render(request, "labelling/label.html", data=data, task=task, state=record.state, purpose=record.purpose)

    @routes.get("/{annotation}/history")
    def history(request: Request, annotation: str, person: AnnotatorOnly) -> Response:
        """All that was done to an annotation, newest first, and a way back to each revision."""
        record = _own(labelling, annotation, person)
        operations = labelling.operations.history(record.annotation, limit=HISTORY)
        shown = [shown_operation(operation) for operation in operations]
        data = {"annotation": record.annotation, "revision": record.revision, "tracks": TRACKS}
        task = _task_of(workspace, record)
        return render(request, "labelling/label_history.html", data=data, task=task, record=record, operations=shown)

    return routes


PAGE = Page(label_pages, (Role.ANNOTATOR,), name="Label", path="/label")


def _own(labelling: Labelling, annotation: str, person: Person) -> AnnotationRecord:
    record = labelling.annotations.get(checked_annotation(annotation))
    if not labelling.may_change(record, annotator_of(person)):
        raise NotAllowed(person.account, "open an annotation of somebody else")
    return record


def _task_of(workspace: Workspace, record: AnnotationRecord) -> Task:
    row = workspace.catalog.recording(record.recording)
    return workspace.catalog.task(row.task, row.task_version).task


def _shown(work: LabelledRecording, tasks: dict[str, Task]) -> dict[str, object]:
    record = work.annotation
    return {
        "annotation": record.annotation,
        "title": tasks[work.task].title,
        "state": record.state,
        "purpose": record.purpose,
        "segments": record.segments,
        "minutes": work.duration_ns / 60e9,
        "changed_at": record.changed_at.isoformat(),
        "reason": record.reason,
    }
