"""Whoever is busy with a recording while its contributor is erased brings nothing of it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from annotate.duplicates.fingerprint import Fingerprint
from annotate.duplicates.motion_fingerprint import motion_fingerprint
from annotate.duplicates.video_fingerprint import VideoFingerprint
from capture.drafts.outbox import submit
from kinesphere.errors import Conflict, NotFound
from kinesphere.objects.store import Objects
from pose.engines.engine import Engine
from storage.catalog import Catalog, TrajectoryRecord
from storage.erasure.erasure_check import find_traces
from storage.recordings.recording import State
from storage.shards.shard_writer import write_shard
from storage.workspace import Workspace, create_workspace
from studio.pipeline.extraction import Extracted, Failure, Job
from studio.pipeline.process import process, waiting
from studio.pipeline.withdrawal import erase_here, remaining_fingerprints
from studio.web.uploads.submissions import Submissions
from studio.web.uploads.upload_files import Uploads
from tests.support.generated_trajectories import make_trajectory
from tests.support.populated_workspaces import add_recording, populate
from tests.support.submitted_takes import make_take, make_workspace
from tests.support.video_clips import make_clip


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    catalog = "sqlite:///catalog.sqlite" if request.param == "sqlite" else request.getfixturevalue("own_postgres_url")
    made = create_workspace(tmp_path / "kitchen", catalog=catalog)
    populate(made, {"anna": 0, "ben": 1}, frames=8)
    yield made
    made.catalog.close()


class ErasesMeanwhile:
    """An engine during whose work a contributor is erased."""

    runs_here = True

    def __init__(self, place: Workspace) -> None:
        self._place = place

    def run(self, work: Any, items: Sequence[Job], on_frame: Callable[[], None]) -> Iterator[Extracted]:
        """Extract nothing, but write a shard, after the erasure."""
        for job in items:
            erase_here(self._place, "anna", who="eve")
            name = job.recording.recording
            trajectory = make_trajectory(60, seed=5, recording=name, contributor="anna")
            shard = write_shard(self._place.objects, [trajectory])
            no_pictures = VideoFingerprint(
                np.empty(0, np.int64), np.empty((0, 32), np.uint8), np.empty((0, 32), np.uint8)
            )
            yield Extracted(
                recording=name,
                state=State.ACCEPTED,
                why="",
                checks=(),
                trajectory=TrajectoryRecord(name, "x", shard.shard_id, 0, 60, "relative", 1, 1, 1),
                frames=60,
                frames_with_body=60,
                hands_found=0,
                shard_bytes=1,
                damaged_ns=(),
                fingerprint=Fingerprint(no_pictures, motion_fingerprint(trajectory)).to_bytes(),
            )


def test_what_was_being_processed_leaves_no_folder_behind(place: Workspace) -> None:
    add_recording(place, "anna", seed=70, accept=False)
    (outcome,) = process(place, waiting(place), engine=cast("Engine", ErasesMeanwhile(place)))
    assert isinstance(outcome, Failure)
    assert find_traces(place, "anna") == [] and remaining_fingerprints(place) == []


@pytest.mark.parametrize("last", ["add_recording", "submit"])
def test_what_was_being_accepted_by_the_server_is_not_brought_back(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    sender = make_workspace(tmp_path / "sender", contributor="anna")
    description = make_take(sender, make_clip(tmp_path / "clip.mp4"), contributor="anna")
    video = (sender.drafts / description.recording / "video.mp4").read_bytes()
    sender.catalog.close()
    upload = Uploads(place.uploads, 10**8).create(len(video), "anna", contributor="anna")
    upload.path.write_bytes(video)
    submissions = Submissions(place)
    step = getattr(Catalog, last)

    def erased_before(self: Catalog, *given: object, **named: object) -> object:
        monkeypatch.undo()
        put_again = {key: place.objects.get(key) for key in place.objects.keys("recordings") if key not in before}
        erase_here(place, "anna", who="eve")
        for key, content in put_again.items():  # the erasure came between the look at the catalog and the writing
            place.objects.put(key, content)
        return step(self, *given, **named)

    before = set(place.objects.keys("recordings"))
    monkeypatch.setattr(Catalog, last, erased_before)
    with pytest.raises((NotFound, Conflict)):
        submissions.accept(description, upload)
    assert find_traces(place, "anna") == []
    assert set(place.objects.keys("recordings")) == before


def test_what_was_being_handed_in_here_is_not_brought_back(
    place: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = make_take(place, make_clip(tmp_path / "clip.mp4"), contributor="anna")
    put_all = Objects.put_all

    def erased_before(self: Objects, *given: Any, **named: Any) -> None:
        monkeypatch.undo()
        erase_here(place, "anna", who="eve")
        put_all(self, *given, **named)

    monkeypatch.setattr(Objects, "put_all", erased_before)
    with pytest.raises(Exception, match=draft.recording):
        submit(place, draft.recording)
    assert find_traces(place, "anna") == []
