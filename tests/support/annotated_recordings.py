"""Recordings that wait for an annotator, and the operations that annotators send."""

from __future__ import annotations

import secrets
from typing import Any

from annotate.labels.labelling import ChangeDraft, OperationDraft
from storage.catalog import Change, Operation, TrajectoryRecord
from storage.recordings.recording import State
from storage.recordings.segment import Segment
from storage.shards.shard_writer import write_shard
from storage.tasks.task import LabellingRules, Labels, Task
from storage.workspace import Workspace
from tests.support.generated_trajectories import make_trajectory
from tests.support.populated_workspaces import describe

STEP = 33_333_333
"""About a frame, in ns."""
POUR = Task(
    name="pour",
    title="Pour",
    instructions="Pour water.",
    consent="I agree.",
    labels=Labels(verbs=("reach", "grasp", "pour"), objects=("cup",)),
)
TWICE = POUR.model_copy(update={"name": "twice", "labelling": LabellingRules(double_share=1)})
"""A task whose recordings are all labelled by two people."""


def waiting(
    workspace: Workspace, contributor: str = "anna", *, task: Task = POUR, frames: int = 60, in_store: bool = False
) -> str:
    """An accepted recording that nobody has labelled; if its trajectory lies in the store, the page can use it."""
    catalog = workspace.catalog
    stored, _ = catalog.add_task(task)
    catalog.add_contributor(contributor)
    number = len(catalog.recordings())
    made = describe(contributor, seed=number, frames=frames)
    made = made.model_copy(update={"task": task.name, "task_version": stored.version})
    catalog.add_recording(made, who=contributor)
    catalog.submit(made.recording, who=contributor)
    extractor, shard = "e" * 16, f"{number:032x}"
    if in_store:
        trajectory = make_trajectory(frames, seed=number, recording=made.recording, contributor=contributor)
        written = write_shard(workspace.objects, [trajectory])
        extractor, shard = written.extractor_id, written.shard_id
    where = TrajectoryRecord(made.recording, extractor, shard, 0, frames, "relative", 1, 1, 1)
    catalog.record_outcome(made.recording, State.ACCEPTED, checks=[], trajectory=where, who="kinesphere", why="fine")
    return made.recording


def content(start: int = 0, end: int = 10, label: str = "reach", **words: Any) -> Segment:
    """A segment between two frames."""
    return Segment(start * STEP, end * STEP, label, start_frame=start, end_frame=end, **words)


def operation(*changes: Change, name: str | None = None) -> Operation:
    """An operation with an id of its own, whose hash is that of its changes."""
    return Operation(name or secrets.token_hex(16), changes, f"{hash(changes):x}")


def new(*contents: Segment) -> Operation:
    """An operation that makes segments."""
    return operation(*(Change(secrets.token_hex(8), None, made) for made in contents))


def drawn(start_ns: int, end_ns: int, label: str = "reach", **words: Any) -> OperationDraft:
    """An operation that makes a segment, as a page sends it."""
    draft = Segment(start_ns, end_ns, label, **words)
    return OperationDraft(secrets.token_hex(16), [ChangeDraft(secrets.token_hex(8), None, draft)], "sent")
