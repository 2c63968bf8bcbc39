"""The browser recorder, in Chromium with a camera that plays a real clip; and what its endpoint refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from httpx import Client

from kinesphere.names import new_recording_id
from kinesphere.video.video_keys import video_key
from storage.catalog import Role
from storage.footage.video_reader import open_video
from storage.recordings.recording import RecordingFile, State, description_key
from storage.tasks.task import ConsentScopes
from storage.workspace import Workspace
from tests.support.browser import (
    accessibility_violations,
    fill_storage,
    opened_page,
    refuse_storage,
    wait_until,
    with_camera,
)
from tests.support.studio_server import Studio, new_account, running_studio, session_cookie
from tests.support.submitted_takes import TASK
from tests.support.video_clips import make_clip

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.real_time

ARRIVED = "parseFloat(document.getElementById('sent').textContent) >= 0.1"
OPEN = {"Tus-Resumable": "1.0.0", "Upload-Defer-Length": "1"}
PART = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
OFFERED = ConsentScopes(offered=("train", "share_keypoints", "share_video"), required=("train", "share_keypoints"))


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    workspace.catalog.add_task(TASK.model_copy(update={"consent_scopes": OFFERED}))
    with running_studio(workspace, limit=200_000_000) as running:
        yield running


@pytest.fixture
def carla(studio: Studio) -> Iterator[Client]:
    """A contributor, c001."""
    token = new_account(studio.workspace, "carla", Role.CONTRIBUTOR, contributor="c001")
    with studio.client(token=token) as client:
        yield client


@pytest.fixture(scope="module")
def camera(browser: Browser, body_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with with_camera(browser, body_clip, tmp_path_factory.mktemp("camera")) as started:
        yield started


def test_a_contributor_records_in_the_browser_and_the_take_is_what_the_camera_saw(
    studio: Studio, camera: Browser
) -> None:
    workspace = studio.workspace
    new_account(workspace, "carla", Role.CONTRIBUTOR, contributor="c001")
    with opened_page(camera, cookies=[session_cookie(studio, "carla")]) as page:
        page.goto(f"{studio.url}/record/move")
        assert accessibility_violations(page) == []
        page.get_by_label("share_video").or_(page.get_by_label(re.compile("video"))).first.check()
        page.get_by_label("Your name or initials, if you like").fill("CM")
        page.get_by_role("button", name="I agree, turn on the camera").click()
        page.get_by_text("The light is good").wait_for()
        assert accessibility_violations(page) == []
        page.keyboard.press("Space")
        page.get_by_role("button", name="Done").wait_for()
        wait_until(page, "document.getElementById('clock').textContent.includes('0:04')", seconds=120)
        wait_until(page, ARRIVED, seconds=120)  # while it is recorded
        assert next((workspace.folder / "uploads").iterdir()).stat().st_size > 10_000
        page.keyboard.press("Space")
        page.get_by_role("heading", name="Thank you!").wait_for(timeout=120_000)
        assert accessibility_violations(page) == []
    (row,) = workspace.catalog.recordings()
    assert (row.state, row.contributor, row.task) == (State.SUBMITTED, "c001", "move")
    described = RecordingFile.from_bytes(workspace.objects.get(description_key(row.recording)), "")
    consent = described.consent
    assert (consent.method, consent.signed, consent.scopes) == ("ticked", "CM", OFFERED.offered)
    assert consent.text_sha256 == TASK.consent_sha256 and described.origin.kind == "camera"
    video = workspace.objects.local_path(video_key(row.recording))
    assert video is not None
    with open_video(video) as stored:
        frames = [frame.image for frame in stored.frames()]
    assert row.duration_ns > 3e9 and len(frames) == row.frames > 20
    assert all(float(np.std(frame)) > 20 for frame in frames)  # pictures, and not black
    assert not (workspace.folder / "uploads").exists() or not list((workspace.folder / "uploads").iterdir())


def test_a_page_that_was_closed_while_recording_hands_in_what_had_arrived(studio: Studio, camera: Browser) -> None:
    workspace = studio.workspace
    new_account(workspace, "carla", Role.CONTRIBUTOR, contributor="c001")
    context = camera.new_context()
    context.add_cookies([session_cookie(studio, "carla")])  # type: ignore[list-item]
    page = context.new_page()
    page.goto(f"{studio.url}/record/move")
    page.get_by_role("button", name="I agree, turn on the camera").click()
    page.get_by_role("button", name=re.compile("^Record")).click()
    wait_until(page, ARRIVED, seconds=120)
    wait_until(page, "document.getElementById('clock').textContent.includes('0:06')", seconds=120)
    page.close()  # as if the browser crashed
    page = context.new_page()
    page.goto(f"{studio.url}/record/move")
    page.get_by_role("button", name="Hand in what was saved").click()
    page.get_by_role("heading", name="Thank you!").wait_for(timeout=120_000)
    page.goto(f"{studio.url}/record/move")
    page.wait_for_timeout(500)
    assert not page.get_by_text("An unfinished take").is_visible()
    context.close()
    (row,) = workspace.catalog.recordings()
    assert row.state is State.SUBMITTED and row.duration_ns > 1e9
    described = RecordingFile.from_bytes(workspace.objects.get(description_key(row.recording)), "")
    assert described.origin.ended == "interrupted"


def test_a_lost_connection_in_the_middle_loses_nothing(studio: Studio, camera: Browser) -> None:
    new_account(studio.workspace, "carla", Role.CONTRIBUTOR, contributor="c001")
    with opened_page(camera, cookies=[session_cookie(studio, "carla")], expected="ERR_INTERNET|Failed to load") as page:
        page.goto(f"{studio.url}/record/move")
        page.get_by_role("button", name="I agree, turn on the camera").click()
        page.get_by_role("button", name=re.compile("^Record")).click()
        wait_until(page, "document.getElementById('clock').textContent.includes('0:02')", seconds=120)
        page.context.set_offline(True)
        wait_until(page, "document.getElementById('clock').textContent.includes('0:05')", seconds=120)
        page.keyboard.press("Space")
        page.wait_for_timeout(1000)
        page.context.set_offline(False)
        page.get_by_role("heading", name="Thank you!").wait_for(timeout=120_000)
    (row,) = studio.workspace.catalog.recordings()
    assert row.duration_ns > 4e9


@pytest.mark.parametrize("how", ["full", "refused"])
def test_a_take_is_recorded_and_offered_again_where_the_browser_keeps_nothing(
    studio: Studio, camera: Browser, how: str
) -> None:
    new_account(studio.workspace, "carla", Role.CONTRIBUTOR, contributor="c001")
    with opened_page(camera, cookies=[session_cookie(studio, "carla")], expected="500") as page:
        if how == "refused":
            refuse_storage(page)
        page.goto(f"{studio.url}/record/move")
        if how == "full":
            fill_storage(page)
        page.get_by_role("button", name="I agree, turn on the camera").click()
        page.get_by_role("button", name=re.compile("^Record")).click()
        page.get_by_text("leave this page open until the take is submitted").wait_for()
        wait_until(page, "document.getElementById('clock').textContent.includes('0:04')", seconds=120)
        page.route("**/api/takes", lambda route: route.fulfill(status=500, json={"error": "the disk is full"}), times=1)
        page.keyboard.press("Space")
        page.get_by_role("button", name="Hand in what was saved").click()
        page.get_by_role("heading", name="Thank you!").wait_for(timeout=120_000)
    (row,) = studio.workspace.catalog.recordings()
    assert row.state is State.SUBMITTED


def sent(client: Client, content: bytes, *, settle: bool = True) -> str:
    location = client.post("/api/uploads", headers=OPEN).headers["Location"]
    length = {"Upload-Length": str(len(content))} if settle else {}
    answer = client.patch(location, headers=PART | {"Upload-Offset": "0"} | length, content=content)
    assert answer.status_code == 204, answer.text
    return str(location).rsplit("/", 1)[1]


def take(upload: str, /, **changed: Any) -> dict[str, Any]:
    return {
        "recording": new_recording_id(),
        "upload": upload,
        "task": "move",
        "consent_sha256": TASK.consent_sha256,
        "scopes": ["train", "share_keypoints"],
    } | changed


def test_a_take_handed_in_again_is_the_same_recording(carla: Client, studio: Studio, tmp_path: Path) -> None:
    wanted = take(sent(carla, make_clip(tmp_path / "clip.mp4").read_bytes()))
    first = carla.post("/api/takes", json=wanted)
    assert first.status_code == 201, first.text
    again = carla.post("/api/takes", json=wanted)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(studio.workspace.catalog.recordings()) == 1


def test_an_upload_of_unknown_length_grows_until_it_is_told(carla: Client, studio: Studio) -> None:
    location = carla.post("/api/uploads", headers=OPEN).headers["Location"]
    for offset in range(3):
        assert carla.patch(location, headers=PART | {"Upload-Offset": str(offset)}, content=b"x").status_code == 204
    told = carla.head(location, headers={"Tus-Resumable": "1.0.0"}).headers
    assert (told["Upload-Offset"], told["Upload-Defer-Length"]) == ("3", "1") and "Upload-Length" not in told
    wanted = take(location.rsplit("/", 1)[1])
    assert "not all" in carla.post("/api/takes", json=wanted).json()["error"]
    for length, status in (("2", 409), ("999999999999", 413), ("x", 400), ("4", 204), ("5", 409), ("4", 204)):
        headers = PART | {"Upload-Offset": "3", "Upload-Length": length}
        assert carla.patch(location, headers=headers, content=b"").status_code == status, length
    assert "not all" in carla.post("/api/takes", json=wanted).json()["error"]
    assert studio.workspace.catalog.recordings() == []


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"task": "nothing"}, 404),
        ({"recording": "../../x"}, 422),
        ({"upload": "../../x"}, 404),
        ({"upload": "0" * 32}, 404),
        ({"consent_sha256": "0" * 64}, 409),
        ({"scopes": ["train"]}, 422),
        ({"scopes": ["everything"]}, 422),
        ({"contributor": "c002"}, 404),
        ({"replaces": "20261123-000000-00000000"}, 404),
        ({"replaces": "x"}, 404),
        ({"device": "<svg onload=alert(1)>\n"}, 422),
        ({"signed": "x" * 101}, 422),
        ({"started_at": "yesterday"}, 422),
    ],
)
def test_a_take_that_will_not_do_is_refused_and_leaves_nothing(
    carla: Client, studio: Studio, tmp_path: Path, changed: dict[str, Any], status: int
) -> None:
    studio.workspace.catalog.add_contributor("c002")
    wanted = take(sent(carla, make_clip(tmp_path / "clip.mp4").read_bytes()), **changed)
    answer = carla.post("/api/takes", json=wanted)
    assert answer.status_code == status, answer.text
    assert studio.workspace.catalog.recordings() == [] and studio.workspace.objects.keys("recordings") == []


@pytest.mark.parametrize("content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"PK\x03\x04" + b"\0" * 1000,
                                     b"\0\0\0\x18ftypisom" + b"\0" * 5000, b"\x1aE\xdf\xa3" + b"\0" * 5000,
                                     b"#EXTM3U\nfile:///etc/passwd\n"])  # fmt: skip
def test_what_is_no_video_is_refused_in_one_line(carla: Client, studio: Studio, content: bytes) -> None:
    answer = carla.post("/api/takes", json=take(sent(carla, content)))
    assert answer.status_code == 422, answer.text
    assert str(studio.workspace.folder) not in answer.text and "\n" not in answer.json()["error"]
    assert studio.workspace.catalog.recordings() == []
    assert list(studio.workspace.drafts.iterdir() if studio.workspace.drafts.is_dir() else []) == []


def test_others_than_contributors_record_nothing(studio: Studio) -> None:
    token = new_account(studio.workspace, "rosa", Role.REVIEWER, Role.ANNOTATOR)
    with studio.client(token=token) as client:
        for path in ("/record/move", "/api/takes"):
            assert client.request("POST" if "api" in path else "GET", path, json={}).status_code == 403
        assert client.post("/api/uploads", headers=OPEN).status_code == 403
    with studio.client() as operator:  # who may record for any who is enrolled
        studio.workspace.catalog.add_contributor("c007")
        assert "c007" in operator.get("/record/move").text
        assert operator.get("/record/move?contributor=c007").status_code == 200
        assert operator.get("/record/move?contributor=c008").status_code == 404
        assert operator.get("/record/nothing?contributor=c007").status_code == 404


def test_a_browser_s_webm_is_taken_in_too(carla: Client, studio: Studio, tmp_path: Path) -> None:
    file = make_clip(tmp_path / "clip.webm", codec="libvpx-vp9", frames=20)
    answer = carla.post("/api/takes", json=take(sent(carla, file.read_bytes())))
    assert answer.status_code == 201, answer.text
    assert answer.json()["frames"] == 20
    described = RecordingFile.from_bytes(studio.workspace.objects.get(description_key(answer.json()["recording"])), "")
    assert (described.video.codec, described.origin.source_codec, described.origin.transcoded) == ("h264", "vp9", True)
