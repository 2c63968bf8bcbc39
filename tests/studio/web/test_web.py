"""The server's endpoints: who may not use them, and what they refuse."""

from __future__ import annotations

import os
import re
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import Client, Response

from kinesphere.video.video_keys import video_key
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.recordings.recording import RecordingFile, State
from storage.tasks.task import ConsentScopes
from storage.workspace import Workspace
from studio.web.uploads.upload_files import Uploads
from tests.support.studio_server import LIMIT, TOKEN, routes_of, running_studio
from tests.support.submitted_takes import TASK, make_take, make_workspace
from tests.support.video_clips import make_clip

TUS = {"Tus-Resumable": "1.0.0"}
PART = TUS | {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Workspace]:
    made = make_workspace(tmp_path / "far")
    yield made
    made.catalog.close()


@pytest.fixture
def client(far: Workspace) -> Iterator[Client]:
    with running_studio(far, limit=LIMIT) as studio, studio.client() as opened:
        yield opened


@pytest.fixture
def made(tmp_path: Path) -> tuple[RecordingFile, bytes]:
    """A take's description and its video."""
    near = make_workspace(tmp_path / "near")
    description = make_take(near, make_clip(tmp_path / "clip.mp4"))
    near.catalog.close()
    return description, (near.drafts / description.recording / "video.mp4").read_bytes()


def sent(client: Client, content: bytes) -> str:
    """Upload a video; gives the upload's id."""
    location = client.post("/api/uploads", headers=TUS | {"Upload-Length": str(len(content))}).headers["Location"]
    answer = client.patch(location, headers=PART | {"Upload-Offset": "0"}, content=content)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(content)))
    return str(location).rsplit("/", 1)[1]


def describe(client: Client, description: RecordingFile, upload: str | None = None, **changed: Any) -> Response:
    content = description.model_dump(mode="json") | changed
    return client.post("/api/recordings", json={"recording": content, "upload": upload})


def test_no_route_of_the_api_lets_anybody_in_without_the_token(client: Client, far: Workspace) -> None:
    with running_studio(far) as other:
        routes = [(method, route.path) for route in routes_of(other.app) for method in route.methods or ()]
    routes = [(method, path) for method, path in routes if path.startswith("/api/")]
    assert len(routes) >= 6
    for given in (None, "", TOKEN, "Bearer", "Bearer x", f"Bearer {TOKEN}x", f"Basic {TOKEN}"):
        if given is None:
            del client.headers["Authorization"]
        else:
            client.headers["Authorization"] = given
        for method, path in [*routes, ("GET", "/api/nowhere"), ("DELETE", "/api/uploads")]:
            address = re.sub(r"{\w+}", "0" * 32, path)
            answer = client.request(method, address, headers=TUS, content=b"x")
            assert answer.status_code == 401, (method, path, given)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not (far.folder / "uploads").exists()


def test_the_same_recording_sent_again_changes_nothing(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes]
) -> None:
    description, content = made
    assert describe(client, description).status_code == 202
    assert far.catalog.recordings() == []
    first = describe(client, description, sent(client, content))
    assert (first.status_code, first.json()["video_sha256"]) == (201, description.video.sha256)
    events = far.catalog.events(description.recording)
    for upload in (None, sent(client, content), "0" * 32):
        again = describe(client, description, upload)
        assert (again.status_code, again.json()) == (200, first.json())
    assert far.catalog.events(description.recording) == events
    other = description.video.model_dump() | {"sha256": "0" * 64}
    assert describe(client, description, video=other).status_code == 409
    assert far.objects.get(video_key(description.recording)) == content
    shown = client.get(f"/api/recordings/{description.recording}").json()
    assert (shown["state"], shown["reviews"]) == ("submitted", [])


def test_a_recording_is_taken_back_only_by_who_has_its_video(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes]
) -> None:
    description, content = made
    assert describe(client, description, sent(client, content)).status_code == 201
    address = f"/api/recordings/{description.recording}/withdraw"
    proof = {"video_sha256": description.video.sha256}
    for wrong in ({}, {"video_sha256": "0" * 64}, {"video_sha256": None}, proof | {"why": 3}, proof | {"why": "a\nb"}):
        assert client.post(address, json=wrong).status_code == 422
    assert far.catalog.recording(description.recording).state is State.SUBMITTED
    for _ in range(2):
        assert client.post(address, json=proof | {"why": "my face shows"}).json()["state"] == "erased"
    assert far.objects.keys("recordings") == []
    again = describe(client, description)
    assert (again.status_code, "taken back and erased" in again.json()["error"]) == (409, True)
    assert client.post("/api/recordings/20260101-000000-00000000/withdraw", json=proof).status_code == 404
    assert client.post("/api/recordings/x/withdraw", json=proof).status_code == 404


def test_a_server_that_was_killed_after_a_withdrawal_erases_at_its_next_start(
    far: Workspace, made: tuple[RecordingFile, bytes], request: pytest.FixtureRequest
) -> None:
    description, content = made
    far.objects.put(video_key(description.recording), content)
    far.catalog.add_recording(description, who="c001")
    far.catalog.withdraw(description.recording, who="c001", why="killed right after this")
    client: Client = request.getfixturevalue("client")  # only now the server starts
    for _ in range(200):
        shown = client.get(f"/api/recordings/{description.recording}").json()
        if shown["state"] == "erased":
            break
        time.sleep(0.05)
    assert (shown["state"], far.objects.keys("recordings")) == ("erased", [])


def test_what_cannot_be_erased_now_is_withdrawn_and_tried_again(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    description, content = made
    assert describe(client, description, sent(client, content)).status_code == 201
    monkeypatch.setattr("studio.web.contributing.recording_routes.ANSWER_SECONDS", 0.3)
    monkeypatch.setattr("studio.web.contributing.erasure_thread.AGAIN_SECONDS", 0.2)
    broken = far.folder / "datasets/kitchen/versions/000001.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{}")  # nobody can tell whom it names
    answer = client.post(
        f"/api/recordings/{description.recording}/withdraw", json={"video_sha256": description.video.sha256}
    )
    assert answer.json()["state"] == "withdrawn"
    broken.unlink()
    for _ in range(200):
        if far.catalog.recording(description.recording).state is State.ERASED:
            break
        time.sleep(0.05)
    assert far.catalog.recording(description.recording).state is State.ERASED


def test_a_server_that_crashed_between_draft_and_submitted_ends_right_when_asked_again(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes]
) -> None:
    description, content = made
    far.catalog.add_recording(description, who="c001")
    assert describe(client, description, sent(client, content)).status_code == 201
    assert far.catalog.recording(description.recording).state is State.SUBMITTED


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"recording": "../../../etc/passwd"}, 422),
        ({"recording": "20261123-000000-0000000/"}, 422),
        ({"contributor": "../c001"}, 422),
        ({"task": "mo/ve"}, 422),
        ({"task": "other"}, 422),
        ({"contributor": "c999"}, 404),
        ({"replaces": "x"}, 422),
        ({"replaces": "20261123-000000-00000000"}, 404),
        ({"format_version": 99}, 422),
        ({"task_version": "one"}, 422),
        ({"origin": {"kind": "camera", "device": "a\nb"}}, 422),
        ({"origin": {"kind": "camera", "device": "a" * 300}}, 422),
    ],
)
def test_a_description_that_will_not_do_is_refused_in_one_line(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes], changed: dict[str, Any], status: int
) -> None:
    answer = describe(client, made[0], sent(client, made[1]), **changed)
    assert answer.status_code == status, answer.text
    assert "\n" not in answer.json()["error"] and str(far.folder) not in answer.text
    assert far.objects.keys("recordings") == [] and far.catalog.recordings() == []


def test_a_recording_that_is_too_long_is_refused_before_its_video_is_sent(
    client: Client, made: tuple[RecordingFile, bytes]
) -> None:
    video = made[0].video.model_dump() | {"frames": 2**18 + 1}
    answer = describe(client, made[0], video=video)
    assert answer.status_code == 422
    assert "can have at most 262144; cut its video.mp4" in answer.json()["error"]


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b"[" * 200_000, b'{"recording": 1}', b"x" * (2 << 20)])
def test_a_request_that_is_no_description_is_refused(client: Client, content: bytes) -> None:
    assert client.post("/api/recordings", content=content).status_code in (413, 422)


def test_bytes_other_than_those_described_are_refused_and_forgotten(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes]
) -> None:
    description, content = made
    answer = describe(client, description, sent(client, content[:-1] + b"!"))
    assert answer.status_code == 422 and "its sha256 differs" in answer.json()["error"]
    assert list((far.folder / "uploads").iterdir()) == []
    assert far.objects.keys("recordings") == [] and far.catalog.recordings() == []


def test_an_upload_that_is_not_whole_makes_no_recording_and_can_go_on(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes]
) -> None:
    description, content = made
    length = {"Upload-Length": str(len(content))}
    location = client.post("/api/uploads", headers=TUS | length).headers["Location"]
    client.patch(location, headers=PART | {"Upload-Offset": "0"}, content=content[:100])
    upload = location.rsplit("/", 1)[1]
    assert "100 bytes were received" in describe(client, description, upload).json()["error"]
    for wrong in ("0", "99", "101"):
        assert client.patch(location, headers=PART | {"Upload-Offset": wrong}, content=b"x").status_code == 409
    head = client.head(location, headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("100", str(len(content)))
    too_much = content[100:] + b"x"
    client.patch(location, headers=PART | {"Upload-Offset": "100"}, content=too_much)
    received = int(client.head(location, headers=TUS).headers["Upload-Offset"])
    assert received <= len(content), "bytes beyond the announced length were written"
    client.patch(location, headers=PART | {"Upload-Offset": str(received)}, content=content[received:])
    assert describe(client, description, upload).status_code == 201


def test_what_the_protocol_does_not_allow_is_refused(client: Client, far: Workspace) -> None:
    def begun(**headers: str) -> int:
        return client.post("/api/uploads", headers=TUS | headers).status_code

    assert begun(**{"Upload-Length": str(LIMIT + 1)}) == 413
    assert {begun(**{"Upload-Length": wrong}) for wrong in ("", "-1", "1.5", "nan", "9" * 40)} == {400}
    assert client.post("/api/uploads", headers={"Upload-Length": "1"}).status_code == 412
    assert not (far.folder / "uploads").exists()
    location = client.post("/api/uploads", headers=TUS | {"Upload-Length": "10"}).headers["Location"]
    offset = {"Upload-Offset": "0"}
    assert client.patch(location, headers=TUS | offset, content=b"x").status_code == 415
    assert client.patch(location, headers=PART | offset, content=b"x" * 11).status_code == 413
    for upload in ("..", "%2e%2e%2fcatalog.sqlite", "*", "%3f" * 32, "0" * 32, "a" * 5000):
        assert client.head(f"/api/uploads/{upload}", headers=TUS).status_code in (404, 405)
        assert client.patch(f"/api/uploads/{upload}", headers=PART | offset, content=b"x").status_code in (404, 405)
    for recording in ("..%2f..%2fetc", "20261123-000000-00000000", "x" * 5000):
        assert client.get(f"/api/recordings/{recording}").status_code == 404
    assert client.options("/api/uploads").headers["Tus-Max-Size"] == str(LIMIT)


def test_old_uploads_are_forgotten(far: Workspace, tmp_path: Path) -> None:
    uploads = Uploads(far.folder / "uploads", LIMIT)
    old, new = uploads.create(10, "paula"), uploads.create(10, "paula")
    os.utime(old.path, (0, 0))
    uploads.remove_old()
    assert not old.path.exists() and new.path.exists()


def test_an_upload_is_told_whose_it_is_so_that_an_erasure_finds_it(client: Client, far: Workspace) -> None:
    def begin(**told: str) -> int:
        pairs = ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in told.items())
        headers = TUS | {"Upload-Length": "10", "Upload-Metadata": pairs}
        return int(client.post("/api/uploads", headers=headers).status_code)

    far.catalog.add_contributor("dora")
    assert begin(contributor="dora", recording="20261123-000000-00000000") == 201
    assert begin(contributor="dora", filename="of another client") == 201
    assert len(list(far.uploads.iterdir())) == 2
    assert begin(contributor="nobody") == 404
    assert begin(contributor="dora", recording="../../etc") == 400
    assert (
        client.post("/api/uploads", headers=TUS | {"Upload-Length": "1", "Upload-Metadata": "a ?"}).status_code == 400
    )
    assert len(list(far.uploads.iterdir())) == 2
    erase(far, "dora", who="eve")
    assert list(far.uploads.iterdir()) == [] and find_traces(far, "dora") == []
    assert begin(contributor="dora") == 404 and list(far.uploads.iterdir()) == []


def test_old_uploads_are_forgotten_while_the_server_runs(far: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.web.web_app.CLEANED_EVERY_SECONDS", 0.05)
    with running_studio(far, limit=LIMIT):
        old = Uploads(far.uploads, LIMIT).create(10, "paula")
        os.utime(old.path, (0, 0))
        until = time.monotonic() + 20
        while old.path.exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert not old.path.exists()


def test_a_consent_is_held_to_what_the_task_offers_and_requires(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes]
) -> None:
    description, content = made
    consent = description.consent.model_dump(mode="json")
    agreed = description.consent.agreed_at
    for changes, why in (
        ({"scopes": ["train"]}, "needs consent to 'share_keypoints'"),
        ({"scopes": ["train", "share_keypoints", "share_video"]}, "does not offer consent to 'share_video'"),
        ({"scopes": ["train", "share_keypoints", "train"]}, "occurs twice"),
        ({"scopes": ["sell"]}, "no description of a recording"),
        ({"expires_at": agreed.isoformat()}, "ended before it was given"),
        ({"expires_at": "2030-01-01T00:00:00"}, "no description of a recording"),
        ({"agreed_at": "2026-01-01T00:00:00"}, "no time zone"),
    ):
        answer = describe(client, description, consent=consent | changes)
        assert answer.status_code == 422 and why in answer.json()["error"], (changes, answer.text)
    assert far.catalog.recordings() == []
    end = agreed + timedelta(days=5)
    old = {name: value for name, value in consent.items() if name != "scopes"} | {"expires_at": end.isoformat()}
    assert describe(client, description, sent(client, content), consent=old).status_code == 201
    (row,) = far.catalog.recordings()
    assert (row.scopes, row.consent_expires_at) == (("train", "share_keypoints"), end)


def test_a_consent_ends_when_the_task_says_so(
    client: Client, far: Workspace, made: tuple[RecordingFile, bytes]
) -> None:
    description, _ = made
    rule = ConsentScopes(expires_after_days=30)
    stored, _ = far.catalog.add_task(TASK.model_copy(update={"consent_scopes": rule}))
    agreed = description.consent.agreed_at
    content = description.consent.model_copy(update={"task_version": stored.version})
    for given, end, fits in (
        (agreed, None, False),
        (agreed, agreed + timedelta(days=31), False),
        (agreed + timedelta(days=900), agreed + timedelta(days=910), False),
        (agreed, agreed + timedelta(days=30), True),
    ):
        consent = content.model_copy(update={"agreed_at": given, "expires_at": end}).model_dump(mode="json")
        answer = describe(client, description, task_version=stored.version, consent=consent)
        assert ("ends after 30 days" in answer.text) != fits, (given, end, answer.text)
