"""Erasure: nothing of the person is left, and everything of the others is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kinesphere import Withdrawn
from kinesphere.errors import Conflict, NotFound
from kinesphere.versions.manifests import list_versions, read_episodes, read_manifest
from kinesphere.video.video_keys import video_key
from storage.catalog import ErasureRecord, Erasures, GoldRecordings, ReviewLeases, Reviews
from storage.erasure.erasure import erase, tombstone_key
from storage.erasure.erasure_check import find_traces
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.publishing.version_writer import write_version
from storage.recordings.recording import State
from storage.shards.shard_writer import write_shard
from storage.tasks.task import ReviewRules
from storage.workspace import Workspace, create_workspace
from tests.support.generated_trajectories import make_row, make_table, make_trajectory
from tests.support.kitchens import PEOPLE, contributors_of, dump, erased, make_kitchen, opened, state_of
from tests.support.populated_workspaces import accept_recording, add_recording, describe, populate
from tests.support.submitted_takes import TASK


def test_nothing_is_left_and_the_others_stay_as_they_were(kitchen: Workspace) -> None:
    before = opened(kitchen, "kitchen")
    (ben,) = (row for row, name in enumerate(before.episodes["contributor"].to_pylist()) if name == "ben")
    frames = before.episode(ben)
    tombstone = erased(kitchen)
    assert find_traces(kitchen, "anna") == []
    for key in kitchen.objects.keys(""):
        if not key.startswith("catalog.sqlite"):
            assert b"anna" not in kitchen.objects.get(key), key
    assert b"anna" not in dump(kitchen.catalog).encode()
    after = opened(kitchen, "kitchen")
    assert contributors_of(after) == {"ben", "carla"}
    (ben,) = (row for row, name in enumerate(after.episodes["contributor"].to_pylist()) if name == "ben")
    assert all((frames[name] == values).all() for name, values in after.episode(ben, ["timestamp", "valid"]).items())
    assert tombstone["counts"] == {
        "recordings": 2, "frames": 80, "seconds": pytest.approx(80 / 30, abs=1e-6), "shards": 2, "versions": 3,
        "exports": 0,
    }  # fmt: skip
    assert json.loads(kitchen.objects.get(tombstone_key(tombstone["receipt"]))) == tombstone


def test_each_version_is_replaced_and_says_by_which(kitchen: Workspace) -> None:
    erased(kitchen)
    assert list_versions(kitchen.objects, "kitchen") == [1, 2, 3, 4]
    assert contributors_of(opened(kitchen, "kitchen", 3)) == {"ben"}
    assert contributors_of(opened(kitchen, "kitchen", 4)) == {"ben", "carla"}
    assert opened(kitchen, "kitchen").version == 4
    for number, heir in ((1, 3), (2, 4)):
        with pytest.raises(Withdrawn, match=rf"kitchen@{number} was withdrawn.*use version {heir}, without them"):
            opened(kitchen, "kitchen", number)
        assert not kitchen.objects.exists(f"datasets/kitchen/versions/{number:06d}.parquet")
    with pytest.raises(Withdrawn, match=r"garden@1 was withdrawn.*nothing of it is left; publish again"):
        opened(kitchen, "garden")
    assert read_manifest(kitchen.objects, "kitchen", 3).manifest["where"] == "contributor != 'carla'"


def test_two_erasures_lead_from_the_first_version_to_the_last(kitchen: Workspace) -> None:
    erased(kitchen)
    erased(kitchen, "carla")
    with pytest.raises(Withdrawn, match="use version 5, without them"):
        opened(kitchen, "kitchen", 2)
    assert contributors_of(opened(kitchen, "kitchen")) == {"ben"}


def test_the_newest_version_stays_the_newest_where_only_an_older_one_is_replaced(workspace: Workspace) -> None:
    populate(workspace, PEOPLE)
    publish(workspace, "kitchen")
    publish(workspace, "kitchen", PublishSettings(where="contributor != 'anna'"))
    erased(workspace)
    newest = opened(workspace, "kitchen")
    assert newest.manifest["erasure"]["repeats"] == 2
    assert newest.episodes.equals(opened(workspace, "kitchen", 2).episodes)
    assert newest.manifest["where"] is None, "it would name whom nothing is to name"
    assert publish(workspace, "kitchen").is_new is False


def test_who_reads_meanwhile_is_told_that_the_version_was_withdrawn(kitchen: Workspace) -> None:
    reading = opened(kitchen, "kitchen")
    erased(kitchen)
    with pytest.raises(Withdrawn, match="kitchen@2 was withdrawn"):
        for _ in reading.stream(window=8, batch_size=4):
            pass


def test_erased_again_it_says_what_was_done(kitchen: Workspace) -> None:
    first = erased(kitchen)
    before = state_of(kitchen)
    assert erased(kitchen) == first
    assert state_of(kitchen) == before
    with pytest.raises(NotFound, match="no contributor named 'nobody'"):
        erase(kitchen, "nobody", who="eve")


def test_enrolled_anew_they_can_be_erased_anew(kitchen: Workspace) -> None:
    first = erased(kitchen)
    populate(kitchen, {"anna": 1})
    publish(kitchen, "kitchen")
    second = erased(kitchen)
    assert second["receipt"] != first["receipt"]
    assert find_traces(kitchen, "anna") == []
    assert len(Erasures(kitchen.catalog).erased("anna")) == 2


def test_only_withdrawn_recordings_are_erased_without_a_name(kitchen: Workspace) -> None:
    taken_back, kept = kitchen.catalog.recordings(contributor="anna")
    kitchen.catalog.withdraw(taken_back.recording, who="anna", why="changed my mind")
    tombstone = erased(kitchen, None)
    assert tombstone["recordings"] == [taken_back.recording]
    assert tombstone["contributor_sha256"] is None
    assert kitchen.catalog.recording(taken_back.recording).state is State.ERASED
    assert not kitchen.objects.exists(video_key(taken_back.recording))
    assert set(opened(kitchen, "garden").episodes["recording"].to_pylist()) == {kept.recording}
    assert erase(kitchen, None, who="eve") is None


def test_a_shard_that_others_recordings_share_is_not_touched(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    both = [describe("anna", seed=seed) for seed in (7, 8)]
    trajectories = [make_trajectory(40, seed=1, recording=d.recording, contributor="anna") for d in both]
    shard = write_shard(workspace.objects, trajectories)
    for description, span in zip(both, shard.spans, strict=True):
        add_recording(workspace, "anna", seed=int(description.recording[-8:], 16), accept=False)
        found = accepted_at(description.recording, shard.shard_id, span.first_frame)
        workspace.catalog.record_outcome(
            description.recording, State.ACCEPTED, checks=[], trajectory=found, who="", why=""
        )
    workspace.catalog.withdraw(both[0].recording, who="anna", why="")
    with pytest.raises(Conflict, match=f"shard {shard.shard_id} also holds recording {both[1].recording}"):
        erase(workspace, None, who="eve")
    assert erased(workspace)["counts"]["shards"] == 2, "the whole contributor can go"


def accepted_at(recording: str, shard: str, first_frame: int) -> Any:
    from storage.catalog import TrajectoryRecord

    return TrajectoryRecord(recording, "x", shard, first_frame, 40, "relative", 1.0, 1.0, 1.0)


def test_on_postgresql_and_s3(tmp_path: Path, postgres_url: str, s3_url: str) -> None:
    place = make_kitchen(create_workspace(tmp_path / "team", catalog=postgres_url, store=s3_url))
    erased(place)
    assert find_traces(place, "anna") == []
    assert b"anna" not in dump(place.catalog).encode()
    assert contributors_of(opened(place, "kitchen")) == {"ben", "carla"}
    place.catalog.close()


def test_a_person_who_also_reviewed_leaves_no_name_there(kitchen: Workspace) -> None:
    description = add_recording(kitchen, "ben", seed=60, accept=False)
    accept_recording(kitchen, description, seed=60)
    kitchen.catalog.withdraw(description.recording, who="anna", why="as a reviewer")
    erased(kitchen)
    events = kitchen.catalog.events(description.recording)
    assert events[-1].who == "(erased)"
    assert "(erased)" not in kitchen.catalog.contributors()


def test_nothing_of_reviews_is_left_of_a_person_nor_of_their_recordings(workspace: Workspace) -> None:
    """Anna's recordings wait, are looked at and are known answers; she herself reviews, and marks known answers."""
    task = TASK.model_copy(update={"name": "checked", "review": ReviewRules(spot_check_share=1, gold_share=0)})
    workspace.catalog.add_task(task)
    populate(workspace, {"anna": 0, "ben": 0})
    names = {"anna": list[str](), "ben": list[str]()}
    for seed, contributor in enumerate(["anna", "anna", "anna", "ben", "ben"]):
        description = describe(contributor, seed=seed).model_copy(update={"task": "checked"})
        workspace.catalog.add_recording(description, who=contributor)
        workspace.catalog.submit(description.recording, who=contributor)
        accept_recording(workspace, description, seed=seed)
        names[contributor].append(description.recording)
    reviews, golds = Reviews(workspace.catalog), GoldRecordings(workspace.catalog)
    leases = ReviewLeases(workspace.catalog)
    for recording in (names["anna"][0], names["ben"][0]):
        reviews.decide(recording, "accept", reviewer="ben" if recording in names["anna"] else "anna", feedback="")
        golds.mark(recording, who="anna")
    assert leases.lease(names["anna"][1], "eve").recording == names["anna"][1]
    assert leases.lease(names["ben"][1], "anna").reviewer == "anna"
    erased(workspace)
    assert find_traces(workspace, "anna") == []
    left = dump(workspace.catalog)
    assert "anna" not in left
    for table in ("review", "review_request", "review_lease", "gold", "check_result"):
        lines = [line for line in left.splitlines() if line.startswith(f"{table} ")]
        assert all(name not in line for name in names["anna"] for line in lines), table
    assert [gold.marked_by for gold in golds.all()] == ["(erased)"]
    (waiting,) = reviews.queue()
    assert waiting.recording.recording == names["ben"][1] and waiting.leased_by is None


def test_a_version_written_before_erasures_were_known_is_read(workspace: Workspace) -> None:
    shard = write_shard(workspace.objects, [make_trajectory(90, seed=1)])
    version = write_version(workspace.objects, "kitchen", make_table([make_row(shard)]))
    assert "erasure" not in version.manifest
    assert read_episodes(workspace.objects, version).num_rows == 1


def test_a_record_says_who_erased(kitchen: Workspace) -> None:
    done = erase(kitchen, "anna", who="eve")
    assert isinstance(done, ErasureRecord)
    assert (done.who, done.contributor) == ("eve", None)
    assert done.done_at is not None and done.done_at >= done.begun_at


def test_a_version_whose_table_lies_in_parts_is_replaced_whole(
    kitchen: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.publishing.table_writer.PART_ROWS", 2)
    version = publish(kitchen, "kitchen", PublishSettings(episodes="recordings"))
    assert len(version.manifest["episodes"]["parts"]) == 2
    kitchen.objects.put(
        "datasets/kitchen/versions/000009.0001.parquet",
        kitchen.objects.get(version.manifest["episodes"]["parts"][0]["key"]),
    )
    erased(kitchen)
    assert find_traces(kitchen, "anna") == []
    assert contributors_of(opened(kitchen, "kitchen")) == {"ben", "carla"}
    left = [key for key in kitchen.objects.keys("datasets/kitchen/versions") if "00000" + str(version.number) in key]
    assert left == [f"datasets/kitchen/versions/{version.number:06d}.json"]
    assert not kitchen.objects.exists("datasets/kitchen/versions/000009.0001.parquet")
