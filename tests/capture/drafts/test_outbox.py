"""The outbox: a take is there whole with its consent, or not at all."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from capture.drafts.outbox import consent_to, submit, take, withdraw
from capture.drafts.upload import Server, send
from kinesphere.errors import Conflict, InvalidInput, InvalidVideo, NotFound, StorageFailed
from kinesphere.shards import shard as shards
from kinesphere.video.video_keys import video_key
from storage.catalog import StoredTask
from storage.recordings.consent import Agreement, Scope
from storage.recordings.recording import Origin, RecordingFile, State, check_length
from storage.tasks.task import ConsentScopes, Task
from storage.workspace import Workspace
from tests.support import video_clips as clips

pytestmark = pytest.mark.real_time

TASK = Task(name="pour", title="Pour", instructions="Pour water.", consent="I agree.")


@pytest.fixture
def workspace_with_task(workspace: Workspace) -> Workspace:
    workspace.catalog.add_task(TASK)
    workspace.catalog.add_contributor("c001")
    return workspace


def make_take(workspace: Workspace) -> RecordingFile:
    def capture(video: Path) -> Origin:
        clips.make_clip(video, frames=20)
        return Origin(kind="import")

    return take(workspace, kind="import", task="pour", contributor="c001", agreement=Agreement("flag"), capture=capture)


def test_a_take_carries_its_consent_and_what_was_measured(workspace_with_task: Workspace) -> None:
    made = make_take(workspace_with_task)
    folder = workspace_with_task.drafts / made.recording
    assert RecordingFile.from_bytes((folder / "recording.json").read_bytes(), "x") == made
    assert made.consent.text_sha256 == hashlib.sha256(b"I agree.").hexdigest()
    assert made.video.frames == 20
    assert made.video.sha256 == hashlib.sha256((folder / "video.mp4").read_bytes()).hexdigest()
    assert workspace_with_task.catalog.recording(made.recording).state is State.DRAFT


@pytest.mark.parametrize("failure", [InvalidVideo("bad"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_take_that_fails_leaves_nothing(workspace_with_task: Workspace, failure: BaseException) -> None:
    def capture(video: Path) -> Origin:
        video.write_bytes(b"half a video")
        raise failure

    expected = StorageFailed if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        take(
            workspace_with_task,
            kind="import",
            task="pour",
            contributor="c001",
            agreement=Agreement("flag"),
            capture=capture,
        )
    assert list(workspace_with_task.drafts.iterdir()) == []
    assert workspace_with_task.catalog.recordings() == []


def test_nobody_unknown_can_record(workspace_with_task: Workspace) -> None:
    with pytest.raises(NotFound, match="no contributor named 'c002'"):
        take(
            workspace_with_task,
            kind="camera",
            task="pour",
            contributor="c002",
            agreement=Agreement("flag"),
            capture=lambda video: Origin(kind="camera"),
        )
    assert not workspace_with_task.drafts.exists()


def test_a_submitted_take_is_in_the_store_and_out_of_the_outbox(workspace_with_task: Workspace) -> None:
    made = make_take(workspace_with_task)
    submit(workspace_with_task, made.recording)
    content = workspace_with_task.objects.get(video_key(made.recording))
    assert hashlib.sha256(content).hexdigest() == made.video.sha256
    assert not (workspace_with_task.drafts / made.recording).exists()
    with pytest.raises(Conflict, match="is submitted; it cannot become submitted"):
        submit(workspace_with_task, made.recording)


def test_a_submission_interrupted_after_the_copy_can_be_repeated(workspace_with_task: Workspace) -> None:
    made = make_take(workspace_with_task)
    workspace_with_task.objects.put(video_key(made.recording), b"half of the vid")
    submit(workspace_with_task, made.recording)
    assert workspace_with_task.objects.size(video_key(made.recording)) == made.video.size_bytes


def test_a_draft_whose_files_are_gone_is_told(workspace_with_task: Workspace) -> None:
    made = make_take(workspace_with_task)
    (workspace_with_task.drafts / made.recording / "video.mp4").unlink()
    with pytest.raises(NotFound, match="record it again"):
        submit(workspace_with_task, made.recording)
    assert workspace_with_task.catalog.recording(made.recording).state is State.DRAFT


def test_a_take_that_is_too_long_to_be_processed_stays_a_draft_and_is_told_how_to_be_cut(
    workspace_with_task: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = make_take(workspace_with_task)
    monkeypatch.setattr(shards, "MAX_FRAMES", 19)
    with pytest.raises(InvalidInput, match=r"has 20 frames and can have at most 19; cut its video\.mp4"):
        submit(workspace_with_task, made.recording)
    with pytest.raises(InvalidInput, match="at most 19"):
        send(workspace_with_task, made.recording, Server("http://127.0.0.1:9", "token"))
    assert workspace_with_task.catalog.recording(made.recording).state is State.DRAFT
    assert not workspace_with_task.objects.exists(video_key(made.recording))
    monkeypatch.undo()
    submit(workspace_with_task, made.recording)

    with pytest.raises(InvalidInput, match="at most 262144") as refused:
        check_length("20261123-094500-00000000", 2**18 + 1, 30.0)
    cut = re.search(r"-segment_time (\d+) ", str(refused.value))
    assert cut is not None and 0.8 * 2**18 / 30 < int(cut[1]) < 0.95 * 2**18 / 30


def test_a_draft_that_is_withdrawn_leaves_nothing_and_what_is_withdrawn_stays_so(
    workspace_with_task: Workspace,
) -> None:
    draft, submitted = make_take(workspace_with_task), make_take(workspace_with_task)
    submit(workspace_with_task, submitted.recording)
    for made in (draft, submitted):
        for _ in range(2):
            withdraw(workspace_with_task, made.recording, why="changed my mind")
        events = workspace_with_task.catalog.events(made.recording)
        assert [event.to_state for event in events].count(State.WITHDRAWN) == 1
        assert events[-1].why == "changed my mind"
    assert list(workspace_with_task.drafts.iterdir()) == []
    with pytest.raises(NotFound):
        withdraw(workspace_with_task, "20260101-000000-00000000", why="")


def test_a_consent_covers_what_the_task_requires_or_what_was_said_until_the_earlier_end() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    rule = ConsentScopes(offered=("train", "share_keypoints", "share_video"), required=("train",),
                         expires_after_days=30)  # fmt: skip
    task = TASK.model_copy(update={"consent_scopes": rule})
    month = now + timedelta(days=30)

    def covered(task: Task, scopes: tuple[Scope, ...] | None, end: datetime | None) -> tuple[tuple[Scope, ...], Any]:
        made = consent_to(StoredTask(task, 1, now), Agreement("flag", "", scopes, end), now)
        return made.scopes, made.expires_at

    assert covered(TASK, None, None) == (("train", "share_keypoints"), None)
    assert covered(task, None, None) == (("train",), month)
    assert covered(task, ("share_video", "train"), now + timedelta(days=90)) == (("train", "share_video"), month)
    assert covered(task, None, now + timedelta(days=3)) == (("train",), now + timedelta(days=3))
    with pytest.raises(InvalidInput, match="task 'pour' does not offer consent to 'share_video'"):
        covered(TASK, ("train", "share_keypoints", "share_video"), None)
    with pytest.raises(InvalidInput, match="already"):
        covered(TASK, None, now)
