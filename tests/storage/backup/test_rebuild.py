"""A lost catalog is rebuilt from what lies beside the videos, and says what nothing tells any more."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from capture.drafts.outbox import submit
from kinesphere.dataset import open_dataset
from kinesphere.errors import Conflict, CorruptObject, NotFound
from kinesphere.shards.shard import shard_key
from kinesphere.trajectory import Valid
from kinesphere.video.video_keys import video_key
from storage.backup.rebuild import RebuildReport, rebuild
from storage.catalog import Erasures
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.inspection.workspace_inspection import inspect
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.recordings.recording import State, description_key
from storage.recordings.segment import Segment
from storage.shards.shard_writer import write_shard
from storage.tasks.criteria import Criteria, Thresholds
from storage.tasks.task import Labels, Task
from storage.workspace import Workspace, create_workspace, open_workspace
from tests.support.compared_workspaces import assert_same_batches, batches_of, bytes_of, rows_of
from tests.support.generated_trajectories import make_trajectory
from tests.support.populated_workspaces import add_recording, populate
from tests.support.submitted_takes import TASK, make_take
from tests.support.video_clips import make_clip


def lose_catalog(workspace: Workspace) -> None:
    workspace.catalog.close()
    for file in workspace.folder.glob("catalog.sqlite*"):
        file.unlink()


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    """Three recordings of two people in a version, and one that waits."""
    populate(workspace, {"anna": 2, "ben": 1})
    publish(workspace, "kitchen", created_by="eve")
    add_recording(workspace, "ben", seed=30, accept=False)
    return workspace


def rebuilt(workspace: Workspace, *tasks: Task) -> tuple[Workspace, RebuildReport]:
    report = rebuild(workspace.folder, tasks)
    return open_workspace(workspace.folder), report


def test_recordings_people_trajectories_and_labels_are_as_they_were(kitchen: Workspace) -> None:
    before, content, batches = rows_of(kitchen.catalog), bytes_of(kitchen), batches_of(kitchen, "kitchen")
    publishable = kitchen.catalog.publishable()
    lose_catalog(kitchen)
    made, report = rebuilt(kitchen, TASK)
    assert (report.contributors, report.trajectories, report.segments, report.tasks) == (2, 3, 3, ("move@1",))
    assert report.states == {"accepted": 3, "submitted": 1} and report.unreadable == () == report.placeholders
    after = rows_of(made.catalog)
    assert after["recording"] == before["recording"]
    assert [row[:3] for row in after["task"]] == [row[:3] for row in before["task"]]
    assert [row[0] for row in after["contributor"]] == [row[0] for row in before["contributor"]]
    shares = {name: publishable.column_names.index(name) for name in ("body_share", "left_hand_share")}
    assert (
        made.catalog.publishable()
        .drop_columns([*shares, "right_hand_share"])
        .equals(publishable.drop_columns([*shares, "right_hand_share"]))
    )
    assert bytes_of(made) == content and inspect(made, deep=True).problems == ()
    assert_same_batches(batches_of(made, "kitchen"), batches)
    for row in made.catalog.recordings(State.ACCEPTED):
        trajectory = made.catalog.trajectory(row.recording)
        assert trajectory is not None
        opened = open_dataset(made.dataset_location("kitchen"))
        (place,) = (n for n, name in enumerate(opened.episodes["recording"].to_pylist()) if name == row.recording)
        valid = opened.episode(place)["valid"]
        assert trajectory.body_share == pytest.approx(((valid.astype(int) & Valid.BODY) > 0).mean())
    (event,) = made.catalog.events(report_recording(made))
    assert (event.who, event.from_state) == ("rebuild", None) and "rebuilt" in event.why
    made.catalog.close()


def report_recording(workspace: Workspace) -> str:
    return workspace.catalog.recordings()[0].recording


def test_what_nobody_can_know_is_said(kitchen: Workspace) -> None:
    lose_catalog(kitchen)
    made, report = rebuilt(kitchen)
    said = " ".join(report.unknown)
    for word in ("accounts", "reviews", "withdrawn", "never published", "exports", "earlier events", "declared"):
        assert word in said
    made.catalog.close()


def test_a_task_without_its_file_keeps_what_versions_say_of_it(workspace: Workspace) -> None:
    criteria = Criteria.of({"duration_seconds": Thresholds(doubt=3, fail=1)})
    task = TASK.model_copy(update={"criteria": criteria, "labels": Labels(verbs=("move",))})
    workspace.catalog.add_task(task)
    workspace.catalog.add_contributor("anna")
    add_recording(workspace, "anna", seed=1)
    publish(workspace, "kitchen")
    lose_catalog(workspace)
    made, report = rebuilt(workspace)
    assert report.placeholders == ("move@1",) and report.tasks == ()
    stored = made.catalog.task("move").task
    assert stored.criteria == criteria and stored.labels.verbs == ("move",)
    assert "lost with the catalog" in stored.instructions
    again, is_new = made.catalog.add_task(task)
    assert is_new and again.version == 2
    made.catalog.close()


def test_a_task_file_with_another_consent_text_is_the_next_version(kitchen: Workspace) -> None:
    lose_catalog(kitchen)
    made, report = rebuilt(kitchen, TASK.model_copy(update={"consent": "I agree to something else."}))
    assert report.placeholders == ("move@1",) and report.tasks == ("move@2",)
    made.catalog.close()


def test_labels_are_those_of_the_newest_version_that_holds_all(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    (row,) = workspace.catalog.recordings()
    publish(workspace, "kitchen")
    workspace.catalog.add_segment(row.recording, Segment(0, 10 * 33_333_333, "rest", end_frame=10), author="eve")
    publish(workspace, "kitchen")
    publish(workspace, "rests", PublishSettings(where="label = 'rest'"))
    publish(workspace, "whole", PublishSettings(episodes="recordings"))
    before = workspace.catalog.segments(row.recording)
    lose_catalog(workspace)
    made, report = rebuilt(workspace, TASK)
    assert report.segments == 2
    assert made.catalog.segments(row.recording) == before
    made.catalog.close()


@pytest.mark.parametrize("seed", range(9, 13))
def test_the_trajectory_that_the_newest_version_uses_counts(workspace: Workspace, seed: int) -> None:
    """Whatever the order of the shards' names, which are hashes."""
    populate(workspace, {"anna": 1}, frames=20)
    (row,) = workspace.catalog.recordings()
    used = workspace.catalog.trajectory(row.recording)
    assert used is not None
    publish(workspace, "kitchen")
    other = make_trajectory(20, seed=seed, recording=row.recording, contributor="anna")
    later = write_shard(workspace.objects, [other])
    group = workspace.objects.local_path(f"{shard_key(used.shard)}/zarr.json")
    assert group is not None and later.shard_id != used.shard
    os.utime(group, (1, 1))
    lose_catalog(workspace)
    made, report = rebuilt(workspace, TASK)
    found = made.catalog.trajectory(row.recording)
    assert found is not None and found.shard == used.shard and report.trajectories == 2
    made.catalog.close()


def test_drafts_are_drafts_again(workspace: Workspace, tmp_path: Path) -> None:
    populate(workspace, {"anna": 1})
    draft = make_take(workspace, make_clip(tmp_path / "clip.mp4", frames=10), "anna")
    before = rows_of(workspace.catalog)["recording"]
    lose_catalog(workspace)
    made, report = rebuilt(workspace, TASK)
    assert report.states == {"draft": 1, "submitted": 1}
    assert [row[0] for row in rows_of(made.catalog)["recording"]] == [row[0] for row in before]
    submit(made, draft.recording)
    assert inspect(made, deep=True).problems == ()
    made.catalog.close()


def test_who_was_erased_stays_so_and_what_was_put_back_goes(kitchen: Workspace, tmp_path: Path) -> None:
    shutil.copytree(kitchen.folder / "recordings", tmp_path / "recordings")
    shutil.copytree(kitchen.folder / "shards", tmp_path / "shards")
    erase(kitchen, "anna", who="eve")
    done = Erasures(kitchen.catalog).done()
    lose_catalog(kitchen)
    shutil.copytree(tmp_path / "recordings", kitchen.folder / "recordings", dirs_exist_ok=True)
    shutil.copytree(tmp_path / "shards", kitchen.folder / "shards", dirs_exist_ok=True)
    made, report = rebuilt(kitchen, TASK)
    assert len(report.erased_again) == 2 and report.erasures == 1
    assert Erasures(made.catalog).erased("anna")[0].tombstone == done[0].tombstone
    assert find_traces(made, "anna") == [] and made.catalog.contributors() == ["ben"]
    made.catalog.close()


def test_what_cannot_be_read_is_named_and_the_rest_entered(kitchen: Workspace) -> None:
    first, second, third, _ = kitchen.catalog.recordings()
    kitchen.objects.put(description_key(first.recording), b"{")
    kitchen.objects.put("erasures/0000.json", b"[]")
    trajectory = kitchen.catalog.trajectory(second.recording)
    assert trajectory is not None
    kitchen.objects.put(f"{shard_key(trajectory.shard)}/zarr.json", b"{}")
    kitchen.objects.delete(video_key(third.recording))
    lose_catalog(kitchen)
    made, report = rebuilt(kitchen, TASK)
    assert len(report.unreadable) == 3 and first.recording in " ".join(report.unreadable)
    assert report.states == {"accepted": 1, "submitted": 2}
    assert {problem.what for problem in inspect(made).problems} >= {f"recording {third.recording}"}
    made.catalog.close()


def test_a_recording_that_only_a_version_knows_is_named(kitchen: Workspace) -> None:
    first = kitchen.catalog.recordings()[0].recording
    kitchen.objects.delete_below(f"recordings/{first}")
    lose_catalog(kitchen)
    made, report = rebuilt(kitchen, TASK)
    assert report.unreadable == (f"recording {first}: a version has episodes of it, and its folder is gone",)
    assert report.states == {"accepted": 2, "submitted": 1}
    made.catalog.close()


def test_never_over_a_catalog_that_is_there(kitchen: Workspace, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="has a catalog: the catalog already holds rows"):
        rebuild(kitchen.folder)
    before = rows_of(kitchen.catalog)
    kitchen.catalog.close()
    assert rows_of(open_workspace(kitchen.folder).catalog) == before
    file = kitchen.folder / "catalog.sqlite"
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(CorruptObject, match="move it away first"):
        rebuild(kitchen.folder)
    assert file.read_bytes().startswith(b"not a database")
    with pytest.raises(NotFound, match="kinesphere init"):
        rebuild(tmp_path)


def test_the_catalog_of_an_object_store_is_rebuilt_in_a_new_folder(
    s3_url: str, own_postgres_url: str, tmp_path: Path
) -> None:
    lost = create_workspace(tmp_path / "lost", store=s3_url)
    populate(lost, {"anna": 1, "ben": 1})
    publish(lost, "kitchen")
    before = rows_of(lost.catalog)["recording"]
    lost.catalog.close()
    shutil.rmtree(tmp_path / "lost")
    create_workspace(tmp_path / "new", catalog=own_postgres_url, store=s3_url).catalog.close()
    assert rebuild(tmp_path / "new", [TASK]).states == {"accepted": 2}
    made = open_workspace(tmp_path / "new")
    assert rows_of(made.catalog)["recording"] == before and inspect(made, deep=True).problems == ()
    add_recording(made, "anna", seed=77)
    assert publish(made, "kitchen").is_new
    made.catalog.close()
