"""Workspaces with a task and a contributor, and takes in them, made without the command."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from capture.drafts.outbox import take
from storage.recordings.consent import Agreement
from storage.recordings.recording import Origin, RecordingFile
from storage.tasks.task import Task
from storage.workspace import Workspace, create_workspace

TASK = Task(name="move", title="Move", instructions="Move about.", consent="I agree to the test.")


def make_workspace(
    folder: Path, *, task: Task = TASK, contributor: str = "c001", catalog: str = "sqlite:///catalog.sqlite"
) -> Workspace:
    """A workspace with one task and one contributor."""
    made = create_workspace(folder, catalog=catalog)
    made.catalog.add_task(task)
    made.catalog.add_contributor(contributor)
    return made


def make_take(workspace: Workspace, clip: Path, contributor: str = "c001") -> RecordingFile:
    """A draft with a copy of a clip."""

    def capture(video: Path) -> Origin:
        shutil.copyfile(clip, video)
        return Origin(kind="import")

    return take(
        workspace, kind="import", task="move", contributor=contributor, agreement=Agreement("flag"), capture=capture
    )


def rewrite_draft(workspace: Workspace, draft: RecordingFile, content: bytes, **video: Any) -> None:
    """Put other bytes in place of a draft's video, and a description that agrees with them but for `video`."""
    folder = workspace.drafts / draft.recording
    (folder / "video.mp4").write_bytes(content)
    description = json.loads((folder / "recording.json").read_text())
    measured = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    description["video"] |= measured | video
    (folder / "recording.json").write_text(json.dumps(description))
