"""What should never be sent is refused in one line and changes nothing: text, numbers, sizes, slowness, videos."""

from __future__ import annotations

import json
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from httpx import Client

from kinesphere.names import new_recording_id
from storage.workspace import Workspace, create_workspace
from tests.support.filled_studio import Filled, fill
from tests.support.studio_server import Studio, running_studio
from tests.support.submitted_takes import TASK, make_take
from tests.support.video_clips import make_clip

TUS = {"Tus-Resumable": "1.0.0"}
LIMIT = 20 << 20
PART = TUS | {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Filled]]:
    """The same on both databases, which refuse different things by themselves."""
    folder = tmp_path_factory.mktemp("bad")
    catalog = "sqlite:///catalog.sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    workspace = create_workspace(folder / "workspace", catalog=catalog)
    content = fill(workspace, folder)
    with running_studio(workspace, limit=LIMIT) as studio:
        yield studio, content
    workspace.catalog.close()


@pytest.fixture
def carla(filled: tuple[Studio, Filled]) -> Iterator[Client]:
    studio, content = filled
    with studio.client(token=content.tokens["carla"]) as client:
        yield client


def kept(workspace: Workspace) -> tuple[object, ...]:
    """What must not change."""
    catalog = workspace.catalog
    rows = catalog.recordings()
    return (
        rows,
        [catalog.events(row.recording) for row in rows],
        [(one.task.name, one.version) for one in catalog.tasks()],
        sorted(workspace.objects.keys("recordings")),
        sorted(path.name for path in workspace.drafts.glob("*")),
    )


def refused(answer: Any, *statuses: int) -> str:
    """The one line that a refusal is."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    line = str(answer.json()["error"])
    assert line and "\n" not in line and len(line) < 400
    return line


BODIES: list[bytes] = [
    b'{"a": ' * 10_000 + b"1" + b"}" * 10_000,
    b'{"past": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    b'{"past": ' + b"[" * 40 + b"]" * 40 + b"}",
    b'{"task": "move", "task": "other"}',
    b'{"task": "mo\xffve"}',
    b'{"task": "mo\xed\xa0\x80ve"}',
    '{"task": "move"}'.encode("utf-16"),
    b'{"task": "mo\\u0000ve"}',
    b'{"task\\u0000": "move"}',
    b'{"task": "mo\\ud83dve"}',
    b'{"task": NaN}',
    b'{"task": -Infinity}',
    b'{"task": 1e400}',
    b'{"task": ' + b"9" * 5000 + b"}",
    b'{"task": 1e',
    b"\x00" * 100,
    b'{"task": "' + b"x" * 100_000 + b'"}',
]


@pytest.mark.parametrize("path", [
    "/api/reviews/next", "/api/labelling/next", "/api/labelling/priority", "/api/recordings", "/api/takes",
    "/api/tasks", "/api/tasks/preview", "/api/invitations", "/api/account/tokens", "/api/account/password",
    "/api/mine/attributes", "/api/mine/take-back",
])  # fmt: skip
def test_json_that_readers_would_read_differently_or_choke_on_is_refused(
    filled: tuple[Studio, Filled], path: str
) -> None:
    studio, _ = filled
    before = kept(studio.workspace)
    with studio.client() as client:
        for body in BODIES:
            method = "PUT" if path.endswith("priority") else "POST"
            refused(client.request(method, path, content=body), 422)
    assert kept(studio.workspace) == before


def test_numbers_that_no_database_keeps_are_refused_wherever_they_stand(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    annotation, recording = content.annotation, content.accepted
    numbers = ("1e400", str(10**30), str(-(10**30)), str(2**63), str(2**31), "NaN", "Infinity", "x", "1.5", "")
    with studio.client() as client:
        for number in numbers:
            for path in (
                f"/api/annotations/{annotation}?revision={number}",
                f"/api/annotations/{annotation}/changes?after={number}",
                f"/api/annotations/{annotation}/history?limit={number}",
                f"/api/annotations/{annotation}/events?after={number}",
                f"/api/recordings/{recording}/skeleton?first={number}&count=1",
                f"/api/recordings/{recording}/signals?level=0&count=1&first={number}",
                f"/api/labelling/progress?since={number}",
            ):
                if "skeleton" in path or "signals" in path:
                    assert client.get(path).status_code in (200, 422), path  # 2**31 frames on: nothing, and no failure
                else:
                    refused(client.get(path), 422)
            for path in (f"/api/recordings/{number or 'x'}", f"/api/annotations/{number or 'x'}"):
                refused(client.get(path), 404)
        for sent in (10**30, 2**63, -(10**30)):
            refused(client.post(f"/api/annotations/{annotation}/restore", json={"revision": sent}), 422)
            refused(client.post(f"/api/annotations/{annotation}/done", json={"revision": sent}), 422)
            refused(client.put("/api/labelling/priority", json={"task": "move", "priority": sent}), 422)
            refused(client.post("/api/account/tokens", json={"name": "x", "days": sent}), 422)
            ranges = {"decision": "return", "words": "x", "ranges": [[0, sent]]}
            refused(client.post(f"/api/reviews/{content.flagged}/decide", json=ranges), 422)


@pytest.mark.parametrize("field", ["task_version", "format_version", "frames", "duration_ns", "width", "size_bytes"])
def test_a_description_with_numbers_beyond_all_measure_is_refused(
    filled: tuple[Studio, Filled], carla: Client, tmp_path: Path, field: str
) -> None:
    studio, _ = filled
    described = make_take(studio.workspace, make_clip(tmp_path / "clip.mp4")).model_dump(mode="json")
    before = kept(studio.workspace)
    for number in (10**30, 2**63, -1):
        place = described if "version" in field else described["video"]
        answer = carla.post("/api/recordings", json={"recording": described | {field: number} if place is described
                            else described | {"video": place | {field: number}}, "upload": "0" * 32})  # fmt: skip
        refused(answer, 404, 409, 413, 422)
    assert kept(studio.workspace) == before


def test_a_nul_is_refused_wherever_text_may_stand(filled: tuple[Studio, Filled]) -> None:
    studio, _ = filled
    with studio.client() as client:
        for path in ("/api/recordings/%00", "/api/annotations/a%00b", "/tasks/%00", "/mine?contributor=a%00",
                     "/record/mo%00ve", "/dashboard/gate?task=%00", "/dashboard/gate/x.svg?task=%00",
                     "/dashboard/diversity?dataset=%00", "/sign-in?next=%00", "/invitation?code=%00",
                     "/api/labelling/progress?since=%00", "/api/uploads/%00"):  # fmt: skip
            assert client.get(path).status_code == 400, path
        refused(client.delete("/api/account/tokens/%00"), 400)
        refused(client.post("/api/accounts/%00/disable"), 400)
    with studio.client(token=None) as stranger:
        for form in ({"account": "a\0b", "password": "x"}, {"account": "a", "password": "x\0"}, {"code": "\0"},
                     {"next": "/\0"}, {"account": b"\xed\xa0\x80", "password": "x"}):  # fmt: skip
            for path in ("/sign-in", "/invitation"):
                assert 400 <= stranger.post(path, data=form).status_code < 500, (path, form)
        for form_bytes in (
            b"account=%ff%fe&password=%ed%a0%80",
            b"account=" + b"a" * 70_000,
            b"&" * 60_000,
            b"a=1&" * 15_000,
        ):
            answer = stranger.post(
                "/sign-in", content=form_bytes, headers={"Content-Type": "application/x-www-form-urlencoded"}
            )
            assert 400 <= answer.status_code < 500, form_bytes[:30]


def test_segments_that_cannot_be_are_refused_and_none_is_kept(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    address = f"/api/annotations/{content.annotation}"
    right = {"track": "task phase", "start_ns": 0, "end_ns": 300_000_000, "label": "reach"}
    with studio.client(token=content.tokens["anna"]) as anna:
        before = anna.get(address).json()
        changes: tuple[dict[str, object], ...] = (
            {"start_ns": float("nan")}, {"end_ns": float("inf")}, {"end_ns": 10**15}, {"end_ns": 10**30},
            {"start_ns": -5}, {"start_ns": 1.5}, {"end_ns": 0}, {"label": "x" * 100_000}, {"label": "a\0b"},
            {"label": "\ud800"}, {"note": "n" * 1001}, {"track": "x" * 100_000}, {"hand": "third"},
        )  # fmt: skip
        for number, wrong in enumerate(changes):
            change = {"segment": f"{number:016x}", "before": None, "after": right | wrong}
            sent = {"operations": [{"operation": f"{number:032x}", "changes": [change]}]}
            answer = anna.post(f"{address}/operations", content=json.dumps(sent))  # which writes NaN, as the wicked do
            refused(answer, 422)
        many = [{"segment": f"{n:016x}", "before": None, "after": right} for n in range(20_001)]
        answer = anna.post(f"{address}/operations", json={"operations": [{"operation": "f" * 32, "changes": many}]})
        refused(answer, 413, 422)
        assert anna.get(address).json() | {"changed_at": 0, "lease": 0} == before | {"changed_at": 0, "lease": 0}


def test_ten_thousand_segments_and_text_of_any_script_are_kept_exactly(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    address = f"/api/annotations/{content.annotation}"
    note = "ידית ← كوب 👩🏽‍🔧 e\u0301 é"
    after = {"track": "task phase", "start_ns": 0, "end_ns": 300_000_000, "label": "reach", "note": note}
    with studio.client(token=content.tokens["anna"]) as anna:
        changes = [{"segment": f"{n:016x}", "before": None, "after": after} for n in range(10_000)]
        body = {"operations": [{"operation": "e" * 32, "changes": changes}]}
        assert anna.post(f"{address}/operations", json=body, timeout=120).status_code == 200
        segments = anna.get(address).json()["segments"]
    assert len(segments) == 10_000 and {one["note"] for one in segments} == {note}


def test_twenty_gigabytes_are_refused_when_announced_and_when_they_come_unannounced(
    filled: tuple[Studio, Filled], carla: Client
) -> None:
    studio, _ = filled
    line = refused(carla.post("/api/uploads", headers=TUS | {"Upload-Length": str(20 * 10**9)}), 413)
    assert "more than this server takes" in line
    announced = carla.post("/api/uploads", headers=TUS | {"Upload-Length": "10"}).headers["Location"]
    deferred = carla.post("/api/uploads", headers=TUS | {"Upload-Defer-Length": "1"}).headers["Location"]

    def endless(megabytes: int) -> Iterator[bytes]:
        for _ in range(megabytes):
            yield b"x" * 1_000_000

    for location, megabytes in ((announced, 1), (deferred, 22)):
        refused(carla.patch(location, headers=PART, content=endless(megabytes)), 413)
    refused(carla.patch(deferred, headers=PART | {"Upload-Length": str(20 * 10**9)}), 413)
    sizes = [path.stat().st_size for path in (studio.workspace.folder / "uploads").iterdir()]
    assert max(sizes) <= LIMIT
    refused(carla.post("/api/recordings", content=endless(9), headers={"Content-Type": "application/json"}), 413)


def bombs(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Files that would be enormous if they were believed."""
    archive = folder / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("video.mp4", bytes(200_000_000))
    yield "a zip bomb", archive.read_bytes()
    webm = bytearray(make_clip(folder / "clip.webm", codec="libvpx", frames=10).read_bytes())
    start = webm.index(b"\x9d\x01\x2a") + 3  # VP8's picture header: width and height in 14 bits each
    webm[start : start + 4] = b"\xff\x3f\xff\x3f"
    yield "16383x16383 in VP8", bytes(webm)


def test_bombs_are_refused_within_limits_and_leave_nothing(
    filled: tuple[Studio, Filled], carla: Client, tmp_path: Path
) -> None:
    studio, _ = filled
    before = kept(studio.workspace)
    for name, content in bombs(tmp_path):
        location = carla.post("/api/uploads", headers=TUS | {"Upload-Length": str(len(content))}).headers["Location"]
        assert carla.patch(location, headers=PART, content=content).status_code == 204
        wanted = {"recording": new_recording_id(), "upload": location.rsplit("/", 1)[1], "task": "move",
                  "consent_sha256": TASK.consent_sha256, "scopes": ["train", "share_keypoints"]}  # fmt: skip
        answer = carla.post("/api/takes", json=wanted, timeout=300)
        assert answer.status_code != 201, name
        assert str(studio.workspace.folder) not in refused(answer, 422), name
        assert kept(studio.workspace) == before, name


def conversation(studio: Studio, head: str, token: str) -> socket.socket:
    """A connection on which a request has begun."""
    address = urlsplit(studio.url)
    opened = socket.create_connection((address.hostname or "", address.port or 0), timeout=20)
    opened.sendall(f"{head}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode())
    return opened


def test_a_sender_of_a_byte_now_and_then_is_not_waited_for(
    filled: tuple[Studio, Filled], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, content = filled
    monkeypatch.setattr("studio.web.http.request_limits.BODY_SECONDS", 1.0)
    for head in ("POST /api/reviews/next HTTP/1.1", "POST /sign-in HTTP/1.1"):
        with conversation(studio, head, content.tokens["rosa"]) as slow:
            slow.sendall(b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n")
            began = time.monotonic()
            slow.settimeout(0.3)
            answer = b""
            while not answer and time.monotonic() - began < 15:
                slow.sendall(b"{")
                try:
                    answer = slow.recv(4096)
                except TimeoutError:
                    continue
            assert answer.split(b" ")[1][:1] == b"4", (head, answer)


def test_lengths_that_lie_hurt_nobody(filled: tuple[Studio, Filled]) -> None:
    studio, content = filled
    lies = (
        b"Content-Length: 5\r\n\r\n{}",
        b"Content-Length: 1\r\n\r\n{}garbage",
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 99999999999999999999\r\n\r\n{}",
        b"Content-Length: 9000000\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
    )
    for lie in lies:
        with conversation(studio, "POST /api/reviews/next HTTP/1.1", content.tokens["rosa"]) as liar:
            liar.sendall(lie)
            liar.shutdown(socket.SHUT_WR)
            answer = liar.recv(65536)
            assert b" 500 " not in answer.split(b"\r\n")[0], (lie, answer)
    with studio.client(token=content.tokens["rosa"]) as rosa:
        assert rosa.get("/api/reviews/queue").status_code == 200
