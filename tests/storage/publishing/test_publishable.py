"""Which episodes of a catalog are published, however many there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere.dataset import open_dataset
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.publishing.table_writer import PART_ROWS
from storage.recordings.recording import State
from storage.tasks.criteria import Criteria, Thresholds
from storage.tasks.task import Task
from storage.workspace import Workspace
from tests.support.bulk_catalogs import (
    annotation_row,
    enter,
    fill_workspace,
    lay_shards,
    recording_row,
    segment_row,
    trajectory_row,
)
from tests.support.generated_trajectories import make_table

STATES = st.sampled_from(["open", "done", "skipped"])
RECORDINGS = st.lists(
    st.fixed_dictionaries({
        "state": st.sampled_from([State.ACCEPTED, State.ACCEPTED, State.FLAGGED, State.WITHDRAWN]),
        "extractors": st.lists(st.sampled_from(["a" * 16, "b" * 16, "c" * 16]), max_size=3, unique=True),
        "cuts": st.lists(st.tuples(st.integers(0, 900), st.integers(1, 900)), max_size=4),
        "annotations": st.lists(st.tuples(STATES, st.sampled_from(["label", "adjudicate"])), max_size=3),
    }),
    max_size=6,
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=RECORDINGS, wanted=st.sets(st.sampled_from("abc"), min_size=1), with_segments=st.booleans())
def test_what_is_publishable_is_what_one_would_list_by_hand(
    workspace_of: Callable[[], Workspace], drawn: list[dict[str, Any]], wanted: set[str], with_segments: bool
) -> None:
    catalog = workspace_of().catalog
    recordings, trajectories, annotations, segments = [], [], [], []
    expected: list[dict[str, Any]] = []
    for number, item in enumerate(drawn):
        row = recording_row(number, task="t", contributor="c001", state=item["state"])
        found = [
            trajectory_row(row, shard=f"{number}{name}", extractor=name, after=place)
            for place, name in enumerate(item["extractors"])
        ]
        cuts = [
            segment_row(
                row, f"{number}-{9 - place}", start, start + length, label=f"l{length}", what="cup" if start else None
            )
            for place, (start, length) in enumerate(item["cuts"])
        ]
        recordings.append(row)
        trajectories += found
        made = [annotation_row(row, place, *how) for place, how in enumerate(item["annotations"])]
        of_people = [
            segment_row(row, f"{number}-p{place}", place, place + 9, label="by hand")
            | {"annotation": one["annotation"]}
            for place, one in enumerate(made)
        ]
        annotations += made
        segments += [*cuts, *of_people]
        done = [(one["purpose"] == "label", place) for place, one in enumerate(made) if one["state"] == "done"]
        cuts += [of_people[min(done)[1]]] if done else []
        newest = [trajectory for trajectory in found if trajectory["extractor"][0] in wanted][-1:]
        if row["state"] == State.ACCEPTED and newest:
            expected += by_hand(row, newest[0], cuts if with_segments else [])
    enter(catalog, recordings, trajectories, segments, annotations)
    table = catalog.publishable(lambda extractor, shard: extractor[0] in wanted, with_segments=with_segments)
    assert table.schema == EPISODE_SCHEMA
    assert table.equals(make_table(expected))


def by_hand(row: dict[str, Any], trajectory: dict[str, Any], cuts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    whole = {name: row[name] for name in ("recording", "contributor", "task", "task_version", "frame_rate")}
    whole |= {name: trajectory[name] for name in ("shard", "first_frame", "length", "scale", "extractor")}
    whole |= {name: trajectory[name] for name in ("body_share", "left_hand_share", "right_hand_share")}
    whole |= {"start_ns": 0, "end_ns": row["duration_ns"], "image_width": 1280, "image_height": 720}
    if not cuts:
        yield whole | {"episode": row["recording"]}
    for cut in sorted(cuts, key=lambda cut: (cut["start_ns"], cut["segment"])):
        yield whole | {
            "episode": f"{row['recording']}/{cut['segment']}",
            "first_frame": trajectory["first_frame"] + cut["start_frame"],
            "length": cut["end_frame"] - cut["start_frame"],
            **{name: cut[name] for name in ("start_ns", "end_ns", "track", "label", "object", "outcome")},
        }


@pytest.fixture
def workspace_of(workspace: Workspace) -> Callable[[], Workspace]:
    """The workspace, emptied of recordings, with a task and a contributor."""
    from sqlalchemy import delete

    from storage.catalog.tables import AnnotationTable, RecordingTable, SegmentTable, TrajectoryTable

    workspace.catalog.add_task(Task(name="t", title="T", instructions="I", consent="C"))
    workspace.catalog.add_contributor("c001")

    def emptied() -> Workspace:
        with workspace.catalog.engine.execution_options(writes=True).begin() as connection:
            for table in (SegmentTable, AnnotationTable, TrajectoryTable, RecordingTable):
                connection.execute(delete(table))
        return workspace

    return emptied


def test_the_manifest_says_by_which_criteria_recordings_were_accepted(workspace: Workspace) -> None:
    strict = Criteria.of({"brightness": Thresholds(doubt=90, fail=50)})
    for criteria in (Criteria(), strict):
        workspace.catalog.add_task(Task(name="t", title="T", instructions="I", consent="C", criteria=criteria))
    workspace.catalog.add_contributor("c001")
    rows = [recording_row(number, task="t", contributor="c001") | {"task_version": 1 + number} for number in (0, 1)]
    trajectories = [trajectory_row(row, shard="0" * 32) for row in rows]
    enter(workspace.catalog, rows, trajectories, [])
    lay_shards(workspace, trajectories)
    told = publish(workspace, "kitchen").manifest["tasks"]
    assert told == {f"t@{number}": {"title": "T", "instructions": "I"} for number in (1, 2)}
    found = publish(workspace, "kitchen").manifest["criteria"]
    assert list(found) == ["t@1", "t@2"]
    assert found["t@1"]["thresholds"] == Criteria().model_dump()
    assert found["t@2"]["thresholds"]["brightness"] == {"doubt": 90, "fail": 50}
    assert found["t@1"]["sha256"] != found["t@2"]["sha256"]
    chosen = publish(workspace, "kitchen", PublishSettings(where="task_version = 2")).manifest
    assert list(chosen["criteria"]) == ["t@2"]
    assert Criteria.model_validate(chosen["criteria"]["t@2"]["thresholds"]) == strict
    assert chosen["software"]["kinesphere"]
    complete = Criteria.of({"blur": Thresholds(doubt=0.5, fail=1), **strict.checks})
    whole = publish(workspace, "whole", effective_criteria=lambda criteria: complete).manifest["criteria"]
    assert whole["t@1"]["thresholds"] == complete.model_dump(), "also for a task that was stored without them"


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a minute alone; its limits are of processor time
def test_a_million_episodes_are_published_in_a_minute_and_opened_in_a_second(workspace: Workspace) -> None:
    fill_workspace(workspace, 100_000, 10)
    began = time.process_time()
    version = publish(workspace, "large")
    assert time.process_time() - began < 60
    assert len(version.manifest["episodes"]["parts"]) == -(-(10**6) // PART_ROWS)
    began = time.process_time()
    dataset = open_dataset(workspace.dataset_location("large"))
    rows, _ = dataset.select(["shard", "first_frame", "length"], "label = 'pour' and contributor = 'c0007'")
    assert time.process_time() - began < 1
    assert 100 < len(rows) < 1000
