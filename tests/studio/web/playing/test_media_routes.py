"""What a player asks the server for: ranges of the video, times of frames, landmarks, signals; and who may not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx import Client

from annotate.signals.signals import UNITS, signals
from kinesphere.errors import StorageFailed
from kinesphere.shards.shard import Shard
from kinesphere.video.video_keys import video_key
from storage.catalog import Role
from storage.footage.frame_edges import frame_edges
from storage.recordings.recording import State
from storage.workspace import Workspace, create_workspace
from studio.web.access.auth import Person
from studio.web.http.byte_ranges import FIRST_PART_BYTES, LARGEST_PART_BYTES, requested_range
from studio.web.http.result_cache import ResultCache
from tests.support.playable_recordings import add_played
from tests.support.studio_server import Studio, running_studio
from tests.support.video_clips import make_clip, uneven_times

FRAMES = 60
PATHS = ("media", "video", "frames", "skeleton?first=0&count=1", "signals?level=0&first=0&count=1")


@pytest.fixture(scope="module", params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, str]]:
    """A studio with a recording, in a folder and in an object store."""
    folder = tmp_path_factory.mktemp("media")
    store = "." if request.param == "folder" else request.getfixturevalue("s3_url")
    workspace = create_workspace(folder / "workspace", store=store)
    clip = make_clip(folder / "clip.mp4", times=uneven_times(FRAMES), bf="2", start=3000)
    recording = add_played(workspace, clip)
    with running_studio(workspace) as studio:
        yield studio, recording
    workspace.catalog.close()


@pytest.fixture
def client(place: tuple[Studio, str]) -> Iterator[Client]:
    studio, recording = place
    with studio.client() as opened:
        opened.base_url = f"{studio.url}/api/recordings/{recording}/"
        yield opened


def content_of(place: tuple[Studio, str]) -> bytes:
    studio, recording = place
    return studio.workspace.objects.get(video_key(recording))


def test_ranges_of_the_video_are_its_bytes(client: Client, place: tuple[Studio, str]) -> None:
    content = content_of(place)
    size = len(content)
    whole = client.get("video")
    assert (whole.status_code, whole.content, whole.headers["Accept-Ranges"]) == (200, content, "bytes")
    assert (whole.headers["Content-Type"], whole.headers["Cache-Control"]) == ("video/mp4", "no-store")
    for asked, start, stop in (
        ("bytes=0-", 0, size),
        ("bytes=0-0", 0, 1),
        ("bytes=100-299", 100, 300),
        (f"bytes={size - 1}-", size - 1, size),
        ("bytes=-7", size - 7, size),
        (f"bytes=-{10 * size}", 0, size),
        (f"bytes=5-{10 * size}", 5, size),
    ):
        answer = client.get("video", headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, content[start:stop]), asked
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.headers["Content-Length"] == str(stop - start)


def test_a_range_behind_the_end_cannot_be_satisfied(client: Client, place: tuple[Studio, str]) -> None:
    size = len(content_of(place))
    for asked in (f"bytes={size}-", f"bytes={10**17}-", "bytes=-0"):
        answer = client.get("video", headers={"Range": asked})
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{size}"), asked


@pytest.mark.parametrize(
    "asked",
    ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "bytes=0-1,5-6", "lines=0-1", "bytes=--5",
     "bytes=1-2-3", f"bytes={'9' * 400}-", "bytes=0x1-", "bytes=1.5-2"],
)  # fmt: skip
def test_what_is_no_single_range_gives_the_whole_video(client: Client, asked: str) -> None:
    answer = client.get("video", headers={"Range": asked})
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["Content-Length"])


def test_conditions_are_kept(client: Client) -> None:
    head = client.head("video")
    assert (head.status_code, head.content) == (200, b"")
    tag, size = head.headers["ETag"], int(head.headers["Content-Length"])
    assert client.get("video", headers={"If-None-Match": f'"other", W/{tag}'}).status_code == 304
    assert client.get("video", headers={"If-None-Match": '"other"'}).status_code == 200
    part = {"Range": "bytes=0-9"}
    assert len(client.get("video", headers=part | {"If-Range": tag}).content) == 10
    assert len(client.get("video", headers=part | {"If-Range": '"other"'}).content) == size
    assert client.head("video", headers=part).headers["Content-Length"] == "10"


def test_a_part_costs_one_read_of_its_length(client: Client, place: tuple[Studio, str]) -> None:
    studio, _ = place
    client.get("video", headers={"Range": "bytes=0-9"})
    before = studio.workspace.objects.requests.total
    for start in range(50):
        assert client.get("video", headers={"Range": f"bytes={start}-{start + 9}"}).status_code == 206
    assert studio.workspace.objects.requests.total - before == 50


def test_frames_are_those_of_the_container(client: Client, place: tuple[Studio, str]) -> None:
    studio, recording = place
    found = np.frombuffer(client.get("frames").content, "<f8")
    assert (found == frame_edges(studio.workspace.objects, video_key(recording))).all()
    assert len(found) == FRAMES + 1 and found[0] > 0
    before = studio.workspace.objects.requests.total
    client.get("frames")
    assert studio.workspace.objects.requests.total == before, "they are kept"


def test_what_a_player_is_told_first(client: Client, place: tuple[Studio, str]) -> None:
    told = client.get("media").json()
    assert (told["recording"], told["width"], told["height"], told["codec"]) == (place[1], 1280, 720, "h264")
    assert [signal["name"] for signal in told["trajectory"]["signals"]] == list(UNITS)


def test_landmarks_are_those_of_the_shard(client: Client, place: tuple[Studio, str]) -> None:
    studio, recording = place
    found = studio.workspace.catalog.trajectory(recording)
    assert found is not None
    shard = Shard(studio.workspace.objects, found.shard)
    content = client.get("skeleton", params={"first": 7, "count": 20}).content
    body = np.frombuffer(content, "<i2", 20 * 66).reshape(20, 33, 2)
    hands = np.frombuffer(content, "<i2", 20 * 84, 20 * 132).reshape(20, 2, 21, 2)
    rest = np.frombuffer(content, "u1", offset=20 * 300)
    assert (body == shard.read("body_image", 7, 27)[..., :2]).all()
    assert (hands == shard.read("hands_image", 7, 27)[..., :2]).all()
    assert (rest[: 20 * 33].reshape(20, 33) == shard.read("body_visibility", 7, 27)).all()
    assert (rest[20 * 33 : 20 * 35].reshape(20, 2) == shard.read("hand_score", 7, 27)).all()
    assert (rest[20 * 35 :] == shard.read("valid", 7, 27)).all()


def test_signals_are_those_of_the_trajectory(client: Client, place: tuple[Studio, str]) -> None:
    studio, recording = place
    content = client.get("signals", params={"level": 2, "first": 8, "count": 20}).content
    found = np.frombuffer(content, "<f4").reshape(len(UNITS), 5, 2)
    assert np.array_equal(found, signals(studio.workspace, recording).part(2, 8, 28), equal_nan=True)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("skeleton", 422), ("skeleton?first=-1&count=5", 422), ("skeleton?first=0&count=0", 422),
        (f"skeleton?first={FRAMES}&count=1", 422), (f"skeleton?first=0&count={FRAMES + 1}", 422),
        ("skeleton?first=nan&count=1", 422), (f"skeleton?first={10**40}&count=1", 422),
        ("signals?level=0&first=0", 422), ("signals?level=65&first=0&count=1", 422),
        ("signals?level=50&first=0&count=1", 422), (f"signals?level=0&first=0&count={FRAMES + 1}", 422),
        ("signals?level=0&first=0&count=2000000", 422), ("signals?level=0&first=1e3&count=1", 422),
    ],
)  # fmt: skip
def test_places_that_are_none_are_refused_in_a_line(client: Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize("path", PATHS)
def test_ids_that_are_none_are_not_found(place: tuple[Studio, str], path: str) -> None:
    studio, _ = place
    with studio.client() as client:
        for name in (
            "x",
            "20261124-000000-0000000g",
            "20991124-000000-00000000",
            "..%2f..%2fworkspace.toml",
            "%00",
            "🙂" * 99,
        ):
            answer = client.get(f"/api/recordings/{name}/{path}")
            assert answer.status_code == (400 if name == "%00" else 404), name


@contextmanager
def signed_in(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, *roles: Role, contributor: str | None
) -> Iterator[Client]:
    """A client of somebody with these roles."""
    with monkeypatch.context() as patch, studio.client() as client:
        somebody = Person("somebody", frozenset(roles), contributor)
        patch.setattr(type(studio.credentials), "by_token", lambda _self, _token: somebody)
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_annotators_reviewers_and_the_contributor_may_look_and_no_other_contributor(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4", frames=10), contributor="anna")
    with running_studio(workspace) as studio:
        for roles, contributor, status in (
            ((Role.ANNOTATOR,), None, 200),
            ((Role.REVIEWER,), None, 200),
            ((Role.OPERATOR,), None, 200),
            ((Role.CONTRIBUTOR,), "anna", 200),
            ((Role.CONTRIBUTOR,), "ben", 404),
            ((Role.CONTRIBUTOR,), None, 404),
            ((), None, 403),
        ):
            with signed_in(studio, monkeypatch, *roles, contributor=contributor) as client:
                answer = client.get(f"/api/recordings/{recording}/{path}")
                assert answer.status_code == status, (roles, contributor)
        with studio.client(token=None) as client:
            assert client.get(f"/api/recordings/{recording}/{path}").status_code == 401


@pytest.mark.parametrize("path", PATHS)
def test_what_was_taken_back_is_gone(workspace: Workspace, tmp_path: Path, path: str) -> None:
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4", frames=10))
    with running_studio(workspace) as studio, studio.client() as client:
        assert client.get(f"/api/recordings/{recording}/{path}").status_code == 200
        workspace.catalog.withdraw(recording, who="anna", why="")
        answer = client.get(f"/api/recordings/{recording}/{path}")
        assert (answer.status_code, answer.json()["kind"]) == (410, "Withdrawn")


def test_a_recording_without_a_trajectory_plays_and_says_what_is_missing(workspace: Workspace, tmp_path: Path) -> None:
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4", frames=10), trajectory=False)
    with running_studio(workspace) as studio, studio.client() as client:
        assert client.get(f"/api/recordings/{recording}/media").json()["trajectory"] is None
        assert client.get(f"/api/recordings/{recording}/video").status_code == 200
        for path in PATHS[3:]:
            answer = client.get(f"/api/recordings/{recording}/{path}")
            assert answer.status_code == 404
            assert f"kinesphere process {recording}" in answer.json()["error"]


def test_a_video_that_is_lost_is_no_endless_answer(workspace: Workspace, tmp_path: Path) -> None:
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4", frames=10), state=State.ACCEPTED)
    with running_studio(workspace) as studio, studio.client() as client:
        assert client.get(f"/api/recordings/{recording}/media").status_code == 200
        workspace.objects.delete(video_key(recording))
        assert client.get(f"/api/recordings/{recording}/video").status_code == 503
        assert client.get(f"/api/recordings/{recording}/frames").status_code == 503


def test_large_answers_come_in_bounded_parts(workspace: Workspace, tmp_path: Path) -> None:
    recording = add_played(workspace, make_clip(tmp_path / "clip.mp4", frames=10))
    content = np.random.default_rng(0).bytes(9_000_000)
    workspace.objects.put(video_key(recording), content)
    asked: list[int] = []
    get = type(workspace.objects).get

    def counted(self: Any, key: str, byte_range: tuple[int, int] | None = None) -> bytes:
        assert byte_range is not None
        asked.append(byte_range[1] - byte_range[0])
        return get(self, key, byte_range)

    with pytest.MonkeyPatch.context() as patch, running_studio(workspace) as studio, studio.client() as client:
        patch.setattr(type(workspace.objects), "get", counted)
        assert client.get(f"/api/recordings/{recording}/video", headers={"Range": "bytes=17-"}).content == content[17:]
        assert asked[0] == FIRST_PART_BYTES and max(asked) == LARGEST_PART_BYTES and sum(asked) == len(content) - 17
        asked.clear()
        with client.stream("GET", f"/api/recordings/{recording}/video") as answer:
            next(answer.iter_raw(1000))
    assert sum(asked) < len(content), "reading stops when nobody listens"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [(None, None), ("bytes=0-", (0, 10)), ("BYTES=2-3", (2, 4)), ("bytes=-3", (7, 10)), ("bytes=10-", (10, 10)),
     ("bytes=3-2", None), ("bytes=-0", (10, 10)), (" bytes=1-1 ", (1, 2))],
)  # fmt: skip
def test_ranges_are_read_as_rfc_9110_says(header: str | None, wanted: tuple[int, int] | None) -> None:
    assert requested_range(header, 10) == wanted


def test_results_are_kept_up_to_a_number_and_failures_are_not() -> None:
    computed: list[str] = []
    kept: ResultCache[str] = ResultCache(2)

    def compute(key: str) -> str:
        computed.append(key)
        if key == "bad" and computed.count("bad") == 1:
            raise StorageFailed("once")
        return key.upper()

    for key in ("a", "b", "a", "c", "a", "b"):
        assert kept.get(key, partial(compute, key)) == key.upper()
    assert computed == ["a", "b", "c", "b"]
    with pytest.raises(StorageFailed):
        kept.get("bad", lambda: compute("bad"))
    assert kept.get("bad", lambda: compute("bad")) == "BAD"
