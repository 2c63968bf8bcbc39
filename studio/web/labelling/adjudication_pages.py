"""The pages on which a third person decides where two annotators differ: what waits, and one recording."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from annotate.labels.labelling import Labelling
from storage.catalog import AnnotationRecord, Role
from storage.catalog.labels.label_work import annotations_by
from storage.recordings.segment import TRACKS
from studio.web.access.auth import Person, needs
from studio.web.http.page_rendering import render
from studio.web.http.refusals import NotAllowed
from studio.web.labelling.label_messages import annotator_of, checked_annotation
from studio.web.page import Page, Studio

AnnotatorOnly = Annotated[Person, needs(Role.ANNOTATOR)]


def adjudication_pages(studio: Studio) -> APIRouter:
    """The pages below `/adjudicate`. Who is neither of the two decides; an operator may always."""
    workspace = studio.workspace
    routes = APIRouter(prefix="/adjudicate")
    labelling = Labelling(workspace)

    @routes.get("")
    def home(request: Request, person: AnnotatorOnly) -> Response:
        """What waits for a decision of this person, and what they have decided."""
        titles = {stored.task.name: stored.task.title for stored in workspace.catalog.tasks()}
        waiting = labelling.queue.to_adjudicate(annotator_of(person))
        decided = annotations_by(workspace.catalog, person.account, purpose="adjudicate")
        return render(request, "labelling/adjudicate_home.html", waiting=waiting, decided=decided, titles=titles)

    @routes.get("/{annotation}")
    def decide(request: Request, annotation: str, person: AnnotatorOnly) -> Response:
        """Both annotators' tracks side by side, and where they differ."""
        record = _own(labelling, annotation, person)
        labelling.sides(record)
        row = workspace.catalog.recording(record.recording)
        task = workspace.catalog.task(row.task, row.task_version).task
        data = {
            "annotation": record.annotation,
            "recording": record.recording,
            "account": person.account,
            "tracks": TRACKS,
            "verbs": task.labels.verbs,
        }
        return render(request, "labelling/adjudicate.html", data=data, task=task, state=record.state)

    return routes


PAGE = Page(adjudication_pages, (Role.ANNOTATOR,), name="Adjudicate", path="/adjudicate")


def _own(labelling: Labelling, annotation: str, person: Person) -> AnnotationRecord:
    record = labelling.annotations.get(checked_annotation(annotation))
    if not labelling.may_change(record, annotator_of(person)):
        raise NotAllowed(person.account, "open an adjudication of somebody else")
    return record
