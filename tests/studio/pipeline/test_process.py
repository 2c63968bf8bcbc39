"""Processing without the command: again with other tracks, and frames that do not decode."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from capture.drafts.outbox import submit
from kinesphere.dataset import open_dataset
from kinesphere.errors import Conflict
from kinesphere.shards import shard as shards
from kinesphere.shards.shard import Shard
from pose.engines.threads_engine import Threads
from pose.extractors.extractor import ExtractorOptions
from storage.catalog import Reviews
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.recordings.recording import State
from storage.tasks.task import Task
from storage.workspace import Workspace
from studio.pipeline.extraction import Failure
from studio.pipeline.process import Outcome, process, processed, waiting
from tests.support.plugin_package import install_plugins
from tests.support.submitted_takes import TASK, make_take, make_workspace, rewrite_draft
from tests.support.video_clips import damage_frames, make_clip

LENIENT = {
    "duration_seconds": {"doubt": 1, "fail": 0},
    "hands_visible_share": {"doubt": 0, "fail": 0},
    "person_visible_share": {"doubt": 0.8, "fail": 0},
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workspace]:
    task = Task.model_validate({**TASK.model_dump(), "criteria": LENIENT})
    made = make_workspace(tmp_path / "workspace", task=task)
    yield made
    made.catalog.close()


def submitted(place: Workspace, clip: Path) -> str:
    recording = make_take(place, clip).recording
    submit(place, recording)
    return recording


def processed_once(place: Workspace, clip: Path) -> tuple[str, Outcome]:
    recording = submitted(place, clip)
    (outcome,) = process(place, waiting(place), engine=Threads(1))
    assert isinstance(outcome, Outcome)
    return recording, outcome


def test_a_recording_has_smoothed_and_raw_tracks_and_either_can_be_published(place: Workspace, tmp_path: Path) -> None:
    recording, smooth = processed_once(place, make_clip(tmp_path / "clip.mp4", 30))
    assert smooth.state is State.FLAGGED
    Reviews(place.catalog).decide(recording, "accept", reviewer="r1", feedback="a pattern")
    checks, events = place.catalog.checks(recording), place.catalog.events(recording)

    with pytest.raises(Conflict, match="--again extracts"):
        waiting(place, [recording])
    with pytest.raises(Conflict, match="no accepted recording has raw tracks"):
        publish(place, "d", PublishSettings(tracks="raw"))
    (raw,) = process(place, processed(place), engine=Threads(1), options=ExtractorOptions(track_filter="none"))
    assert isinstance(raw, Outcome)
    assert raw.state is State.ACCEPTED and raw.shard != smooth.shard
    assert place.catalog.checks(recording) == checks and place.catalog.events(recording) == events
    assert Shard(place.objects, raw.shard).attributes["extractor"]["settings"]["filter"] == "none"

    def published(name: str) -> str:
        return str(open_dataset(place.dataset_location(name)).episodes["shard"][0].as_py())

    publish(place, "raw", PublishSettings(tracks="raw"))
    publish(place, "smooth", PublishSettings(tracks="smooth"))
    publish(place, "newest")
    assert [published(name) for name in ("raw", "smooth", "newest")] == [raw.shard, smooth.shard, raw.shard]
    (again,) = process(place, processed(place, [recording]), engine=Threads(1))
    assert isinstance(again, Outcome) and again.shard == smooth.shard, "the same bytes under the same name"
    publish(place, "newest")
    assert published("newest") == smooth.shard


def test_only_what_was_accepted_or_flagged_is_extracted_again(place: Workspace, tmp_path: Path) -> None:
    recording = submitted(place, make_clip(tmp_path / "clip.mp4", 10))
    assert processed(place) == []
    with pytest.raises(Conflict, match="is submitted; only accepted and flagged"):
        processed(place, [recording])


def test_a_recording_that_is_too_long_fails_before_it_is_read(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = submitted(place, make_clip(tmp_path / "clip.mp4", 12))
    monkeypatch.setattr(shards, "MAX_FRAMES", 11)
    read: list[int] = []
    (failure,) = process(place, waiting(place), engine=Threads(1), on_frames=read.append)
    assert isinstance(failure, Failure)
    assert "has 12 frames and can have at most 11; cut" in failure.error
    assert read == []
    assert place.catalog.recording(recording).state is State.SUBMITTED


def test_a_damaged_frame_is_reported_with_its_time_and_the_rest_extracted(place: Workspace, tmp_path: Path) -> None:
    times = [3000 * i + 600 * (i % 3) for i in range(40)]
    clip = damage_frames(make_clip(tmp_path / "clip.mp4", times=times, g="10", bf="0"), [14])
    recording, outcome = processed_once(place, clip)
    damaged = np.array(outcome.damaged_ns)
    np.testing.assert_allclose(damaged / 1e9, np.array(times[14:20]) / 90_000, atol=1e-6)
    assert outcome.frames == 34, "the frames up to the next keyframe are made from the damaged one"
    check = next(check for check in place.catalog.checks(recording) if check.check == "damaged_frames")
    assert check.message.startswith("6 frames could not be decoded, from 0.48 s to 0.64 s")
    assert [start for start, _ in check.ranges] == list(outcome.damaged_ns)


def test_the_same_take_again_is_flagged_and_the_other_named(place: Workspace, tmp_path: Path) -> None:
    first, outcome = processed_once(place, make_clip(tmp_path / "clip.mp4", 90))
    (check,) = (check for check in place.catalog.checks(first) if check.check == "duplicate")
    assert (check.verdict, check.value) == ("pass", 0)
    assert "duplicate" not in outcome.why and "shows what recording" not in outcome.why
    again, outcome = processed_once(place, make_clip(tmp_path / "again.mp4", 90, crf="38"))
    (check,) = (check for check in place.catalog.checks(again) if check.check == "duplicate")
    assert check.verdict == "doubt" and check.value > 0.8
    assert f"recording {first} by the same contributor" in outcome.why
    assert outcome.state is State.FLAGGED

    place.catalog.withdraw(first, who="anna", why="mine")
    place.catalog.withdraw(again, who="anna", why="mine")
    third, _ = processed_once(place, make_clip(tmp_path / "third.mp4", 90, crf="30"))
    (check,) = (check for check in place.catalog.checks(third) if check.check == "duplicate")
    assert check.verdict == "pass", "what was withdrawn is not named"
    assert not place.objects.exists(f"recordings/{first}/fingerprint.npz")


def test_a_recording_is_judged_by_the_version_of_the_task_that_it_was_made_under(
    place: Workspace, tmp_path: Path
) -> None:
    recording = submitted(place, make_clip(tmp_path / "clip.mp4", 40))
    stricter = {**LENIENT, "duration_seconds": {"doubt": 3600, "fail": 1800}}
    changed = {**TASK.model_dump(), "criteria": stricter, "consent": "I agree to more."}
    assert place.catalog.add_task(Task.model_validate(changed))[0].version == 2
    later = submitted(place, make_clip(tmp_path / "other.mp4", 40, size=(208, 144)))
    process(place, waiting(place), engine=Threads(1))
    judged = {name: {check.check: check for check in place.catalog.checks(name)} for name in (recording, later)}
    assert judged[recording]["duration_seconds"].doubt == 1 and judged[later]["duration_seconds"].doubt == 3600
    assert place.catalog.recording(recording).state is State.FLAGGED
    assert place.catalog.recording(later).state is State.REJECTED
    assert {judged[name]["consent_complete"].verdict for name in judged} == {"pass"}, "each to its own version's text"


def test_a_plugin_that_fails_costs_no_recording(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(install_plugins(tmp_path)))
    limit = {"doubt": 0.5, "fail": 0.1}
    plugins = {"raising": limit, "fine": limit, "nowhere": limit}
    place.catalog.add_task(Task.model_validate({**TASK.model_dump(), "criteria": {**LENIENT, "plugins": plugins}}))
    recording, outcome = processed_once(place, make_clip(tmp_path / "clip.mp4", 40))
    assert outcome.state is State.REJECTED, "by `fine`, which sees that nobody is there"
    checks = {check.check: check for check in place.catalog.checks(recording) if check.check.startswith("plugins.")}
    assert {name: check.verdict for name, check in checks.items()} == {
        "plugins.fine": "fail",
        "plugins.raising": "doubt",
        "plugins.nowhere": "doubt",
    }
    assert "plugin fine of acme-checks 1.2" in checks["plugins.fine"].message


def test_a_length_that_the_description_overstates_is_found(place: Workspace, tmp_path: Path) -> None:
    made = make_take(place, make_clip(tmp_path / "clip.mp4", 40))
    content = (place.drafts / made.recording / "video.mp4").read_bytes()
    rewrite_draft(place, made, content, duration_ns=4_000_000_000)
    submit(place, made.recording)
    process(place, waiting(place), engine=Threads(1))
    check = next(c for c in place.catalog.checks(made.recording) if c.check == "length_mismatch_seconds")
    assert check.verdict == "doubt" and check.value == pytest.approx(4 - 40 / 30, abs=0.01)
    assert "the recording's description says 4.0 s" in check.message
