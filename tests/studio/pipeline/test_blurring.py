"""The command `blur`, and versions that go with blurred videos."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from capture.drafts.outbox import submit
from kinesphere.errors import Conflict, CorruptObject
from kinesphere.trajectory import Trajectory, Valid
from kinesphere.video.video_keys import blurred_key, video_key
from storage.catalog import TrajectoryRecord
from storage.footage.video_reader import open_video
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.recordings.consent import SCOPES
from storage.recordings.recording import State, blurred_note_key
from storage.shards.shard_writer import write_shard
from storage.tasks.task import ConsentScopes
from storage.workspace import Workspace
from studio.pipeline.blurring import blur_all, blur_recording
from tests.support.command import Command
from tests.support.generated_trajectories import make_trajectory
from tests.support.submitted_takes import TASK, make_take, make_workspace
from tests.support.video_clips import make_clip

FRAMES = 20


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workspace]:
    every = ConsentScopes(offered=tuple(SCOPES), required=tuple(SCOPES))
    made = make_workspace(tmp_path / "workspace", task=TASK.model_copy(update={"consent_scopes": every}))
    yield made
    made.catalog.close()


@pytest.fixture
def recording(place: Workspace, tmp_path: Path) -> str:
    made = make_take(place, make_clip(tmp_path / "clip.mp4", FRAMES)).recording
    submit(place, made)
    enter(place, made, seen(made), State.ACCEPTED)
    return made


def seen(recording: str, places: float = 0.5) -> Trajectory:
    """A trajectory in which the head is always near one place."""
    made = make_trajectory(FRAMES, recording=recording, contributor="c001", gaps=0)
    arrays = dict(made.arrays)
    arrays["body_image"] = np.full_like(arrays["body_image"], places)
    arrays["body_image"][:, 11:13, 0] += np.array([0.05, -0.05], np.float32)
    arrays["timestamp"] = np.arange(FRAMES, dtype=np.int64) * 33_333_333
    arrays["valid"] = np.full(FRAMES, int(Valid.BODY), np.uint8)
    return replace(made, arrays=arrays)


def enter(place: Workspace, recording: str, trajectory: Trajectory, state: State) -> None:
    shard = write_shard(place.objects, [trajectory])
    record = TrajectoryRecord(
        recording, trajectory.extractor.extractor_id, shard.shard_id, 0, FRAMES, "relative", 1, 1, 1
    )
    place.catalog.record_outcome(recording, state, checks=(), trajectory=record, who="test", why="")


def test_a_blurred_video_lies_beside_the_raw_one_and_is_made_once(place: Workspace, recording: str) -> None:
    made = blur_recording(place, recording)
    assert made["is_new"] and made["report"] == {"frames": FRAMES, "located": FRAMES, "held": 0, "whole": 0}
    raw, blurred = place.objects.local_path(video_key(recording)), place.objects.local_path(blurred_key(recording))
    assert raw is not None and blurred is not None and made["location"] == str(blurred)
    assert open_video(blurred).times == open_video(raw).times
    content = blurred.read_bytes()
    again = blur_recording(place, recording)
    assert not again["is_new"] and again["report"] == made["report"]
    assert blurred.read_bytes() == content


def test_it_is_made_again_when_it_was_not_finished_or_should_hide_more(place: Workspace, recording: str) -> None:
    blur_recording(place, recording)
    place.objects.delete(blurred_note_key(recording))
    assert blur_recording(place, recording)["is_new"]
    assert blur_recording(place, recording, strict=True)["is_new"]
    blur_all(place, [recording])
    assert not blur_recording(place, recording, strict=True)["is_new"]
    place.objects.put(blurred_note_key(recording), b"{}")
    with pytest.raises(CorruptObject, match="delete it and blur again"):
        blur_recording(place, recording)


def test_a_file_can_be_named_and_the_workspace_is_left_alone(place: Workspace, recording: str, tmp_path: Path) -> None:
    before = place.objects.keys(f"recordings/{recording}")
    assert blur_recording(place, recording, output=tmp_path / "out.mp4")["location"].endswith("out.mp4")
    assert open_video(tmp_path / "out.mp4").info.frames == FRAMES
    assert place.objects.keys(f"recordings/{recording}") == before


def test_what_has_no_trajectory_or_is_withdrawn_or_was_changed_is_refused(place: Workspace, tmp_path: Path) -> None:
    first = make_take(place, make_clip(tmp_path / "first.mp4", FRAMES)).recording
    with pytest.raises(Conflict, match=r"has no trajectory .* kinesphere process"):
        blur_recording(place, first)
    submit(place, first)
    enter(place, first, seen(first), State.ACCEPTED)
    place.objects.put(video_key(first), b"other")
    with pytest.raises(CorruptObject, match="not what was submitted"):
        blur_recording(place, first)


def test_a_version_with_blurred_videos_has_them_and_says_so(place: Workspace, recording: str) -> None:
    blurred: list[str] = []
    raw = publish(place, "kitchen", PublishSettings(video="raw"))
    assert "video" not in raw.manifest

    def blur(recordings: Sequence[str]) -> None:
        blur_all(place, recordings)
        blurred.extend(recordings)

    version = publish(place, "kitchen", PublishSettings(video="blurred"), before_writing=blur)
    assert (version.number, version.is_new, version.manifest["video"], blurred) == (2, True, "blurred", [recording])
    assert place.objects.exists(blurred_key(recording))
    assert (
        not publish(place, "kitchen", PublishSettings(video="blurred"), before_writing=blur).is_new
        and len(blurred) == 2
    )
    assert publish(place, "kitchen", PublishSettings(video="none")).number == 3


def test_the_commands_say_what_they_hid_and_what_not(place: Workspace, recording: str) -> None:
    command = Command(place.folder)
    published = command.run("publish", "kitchen", "--video", "blurred").stdout
    assert "Published kitchen@1" in published and "Bystanders are hidden where they are found" in published
    assert command.json("info", "kitchen")["video"] == "blurred"
    assert "It is hidden already" in command.run("blur", recording).stdout
    assert "has no trajectory" not in command.error("blur", "absent")
