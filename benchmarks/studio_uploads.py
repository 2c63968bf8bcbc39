"""Contributors who upload at the same time: whether every byte arrives, and what is answered.

Each has an account and a video of their own: a clip of 20 frames with a box of random bytes, which players pass over.
They begin an upload, send it in parts as the recorder in the browser does, and some enter it as a recording.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.studio_server import Served, load, served, spread
from kinesphere.names import is_recording_id
from kinesphere.video.video_keys import video_key
from storage.catalog import Role
from storage.footage.video_reader import open_video
from storage.recordings.recording import RecordingFile
from storage.workspace import Workspace, create_workspace
from studio.commands.output import print_table
from tests.support.populated_workspaces import describe
from tests.support.submitted_takes import TASK
from tests.support.video_clips import make_clip

PART_BYTES = 1 << 20
_TUS = {"Tus-Resumable": "1.0.0"}


@dataclass
class _Contributor:
    """One person and their video."""

    token: str
    content: bytes
    description: RecordingFile
    upload: str = ""
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    async def send(self, url: str, *, enter: bool) -> None:
        """Upload the video, and enter it."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=600) as client:
            length = {"Upload-Length": str(len(self.content))}
            begun = await self._answer(client.build_request("POST", "/api/uploads", headers=_TUS | length), client)
            place = begun.headers["location"]
            self.upload = place.rpartition("/")[2]
            for offset in range(0, len(self.content), PART_BYTES):
                part = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                content = self.content[offset : offset + PART_BYTES]
                await self._answer(client.build_request("PATCH", place, headers=_TUS | part, content=content), client)
            if enter:
                entered = {"recording": self.description.model_dump(mode="json"), "upload": self.upload}
                await self._answer(client.build_request("POST", "/api/recordings", json=entered), client)

    async def _answer(self, request: httpx.Request, client: httpx.AsyncClient) -> httpx.Response:
        began = time.monotonic()
        answer = await client.send(request)
        self.seconds.append(time.monotonic() - began)
        self.statuses[answer.status_code] += 1
        return answer.raise_for_status()


def uploading(*, contributors: int = 200, megabytes: float = 2, entered: int = 20) -> None:
    """Print what became of the uploads of so many contributors, of whom the first `entered` hand their takes in."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "workspace"
        workspace = create_workspace(folder)
        workspace.catalog.add_task(TASK)
        workspace.catalog.close()
        with served(folder) as studio:
            tokens = studio.tokens(Role.CONTRIBUTOR, [f"c{number:03}" for number in range(contributors)])
            clip = make_clip(Path(temporary) / "clip.mp4")
            people = [_person(clip, number, token, megabytes) for number, token in enumerate(tokens)]
            used, began = studio.cpu_seconds(), time.monotonic()
            asyncio.run(_all(studio, people, entered))
            took, used = time.monotonic() - began, studio.cpu_seconds() - used
            lost = _lost(studio.workspace, people, entered)
    statuses = sum((person.statuses for person in people), Counter[int]())
    waits = [wait for person in people for wait in person.seconds]
    bytes_sent = sum(len(person.content) for person in people)
    print_table(
        f"{contributors} uploads of {bytes_sent / contributors / 1e6:.1f} MB at once, {entered} entered, {load()}",
        ["", ""],
        [
            ["bytes lost", lost],
            ["answers", ", ".join(f"{count} of {status}" for status, count in sorted(statuses.items()))],
            ["seconds for all", f"{took:.1f} ({bytes_sent / took / 1e6:.1f} MB/s)"],
            ["ms for an answer: median, p95, longest", ", ".join(spread(waits))],
            ["processor seconds of the server", f"{used:.1f}"],
        ],
    )


async def _all(studio: Served, people: list[_Contributor], entered: int) -> None:
    await asyncio.gather(*(person.send(studio.url, enter=number < entered) for number, person in enumerate(people)))


def _person(clip: Path, number: int, token: str, megabytes: float) -> _Contributor:
    ballast = random.Random(number).randbytes(round(megabytes * 1e6))
    content = clip.read_bytes() + (len(ballast) + 8).to_bytes(4, "big") + b"free" + ballast
    described = describe(f"c{number:03}", seed=number)
    assert is_recording_id(described.recording)
    with open_video(clip) as video:
        info = video.info
    measured = {
        name: getattr(info, name) for name in ("codec", "width", "height", "frames", "duration_ns", "frame_rate")
    }
    video_file = described.video.model_copy(
        update={**measured, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    )
    return _Contributor(token, content, described.model_copy(update={"video": video_file}))


def _lost(workspace: Workspace, people: list[_Contributor], entered: int) -> int:
    """Bytes of those uploads that are not on the disk, or in the store, exactly as they were sent."""
    lost = 0
    for number, person in enumerate(people):
        if number < entered:
            content = workspace.objects.get(video_key(person.description.recording))
        else:
            (file,) = (workspace.folder / "uploads").glob(f"{person.upload}.*")
            content = file.read_bytes()
        same = hashlib.sha256(content).hexdigest() == person.description.video.sha256
        lost += 0 if same else len(person.content)
    return lost
