"""Recordings that two people have labelled, as the studio's pages would have it."""

from __future__ import annotations

from typing import Any

from annotate.labels.labelling import Labelling
from storage.catalog import AnnotationRecord, Annotator
from storage.workspace import Workspace
from tests.support.annotated_recordings import drawn

Part = tuple[Any, ...]
"""First frame, end frame, label, and other words of a segment by name (if any)."""


def labelled_by(workspace: Workspace, recording: str, who: str, *parts: Part, done: bool = True) -> AnnotationRecord:
    """What somebody labels of a recording, frame by frame."""
    labelling = Labelling(workspace)
    record, _ = labelling.annotations.begin(recording, Annotator(who))
    edges = labelling.frames.edges(recording)
    operations = [
        drawn(int(edges[start]), int(edges[end]), label, **(more[0] if more else {}))
        for start, end, label, *more in parts
    ]
    if operations:
        labelling.apply(record, operations, who=who)
    return labelling.annotations.done(record.annotation) if done else labelling.annotations.get(record.annotation)
