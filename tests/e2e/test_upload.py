"""Takes go from one workspace to a real server, over lines that break and through processes that are killed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest

from kinesphere.video.video_keys import video_key
from storage.catalog import Reviews, TrajectoryRecord
from storage.recordings.recording import RecordingFile, State
from storage.workspace import Workspace
from studio.pipeline.process import waiting
from tests.support.breaking_proxy import breaking_proxy
from tests.support.command import Command
from tests.support.submitted_takes import TASK, make_take, make_workspace, rewrite_draft
from tests.support.video_clips import make_clip

TOKEN = "a-token-for-the-tests"
SLACK = 300_000
"""Bytes that may be under way in the sockets' buffers when a connection breaks."""


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of some ten megabytes."""
    file = tmp_path_factory.mktemp("noise") / "noise.mp4"
    random = np.random.default_rng(1)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "12", "preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for _ in range(30):
            pixels = random.integers(0, 255, (480, 640, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    assert file.stat().st_size > 6_000_000
    return file


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@dataclass
class Server:
    """A server process, which can be killed and started again at the same port."""

    workspace: Workspace
    options: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[str] = field(init=False)

    def start(self) -> None:
        command = Command(self.workspace.folder)
        words = command.arguments("serve", "--json", "--port", str(self.port), *self.options)
        environment = command.environment | {"KINESPHERE_TOKEN": TOKEN}
        self.process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        shown = ""
        while not shown.endswith("}\n"):
            line = self.process.stdout.readline()
            assert line, "the server ended"
            shown += line
        self.port = int(json.loads(shown)["url"].rsplit(":", 1)[1])

    def end(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stored(self) -> list[str]:
        """Everything that counts: objects and rows of the catalog."""
        return [*self.workspace.objects.keys("recordings"), *(r.recording for r in self.workspace.catalog.recordings())]


@contextlib.contextmanager
def running(workspace: Workspace, *options: str) -> Iterator[Server]:
    server = Server(workspace, options)
    server.start()
    try:
        yield server
    finally:
        server.end()
        workspace.catalog.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(make_workspace(tmp_path / "far")) as started:
        yield started


@pytest.fixture
def sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("KINESPHERE_TOKEN", TOKEN)
    made = make_workspace(tmp_path / "near")
    yield made
    made.catalog.close()


def assert_arrived(made: RecordingFile, sender: Workspace, server: Server, original: Path, url: str) -> None:
    """The recording is there whole and once, and no longer here."""
    recording = made.recording
    assert server.workspace.objects.get(video_key(recording)) == original.read_bytes()
    assert len(server.stored()) == 3
    assert [event.to_state for event in server.workspace.catalog.events(recording)] == ["draft", "submitted"]
    assert list((server.workspace.folder / "uploads").iterdir()) == []
    row = sender.catalog.recording(recording)
    assert (row.state, row.sent_to) == (State.SUBMITTED, url)
    assert list(sender.drafts.iterdir()) == []


def test_a_take_arrives_whole_and_once_over_a_line_that_breaks_at_random_bytes(
    sender: Workspace, server: Server, noise: Path
) -> None:
    made = make_take(sender, noise)
    command = Command(sender.folder)
    with breaking_proxy(server.port, cut_after=(1000, 1_500_000)) as proxy:
        assert command.json("submit", "--all", "--to", proxy.url) == {"submitted": [made.recording]}
        assert proxy.cuts >= 8
        assert_arrived(made, sender, server, noise, proxy.url)
        # each attempt asks again with the description and the offset, and loses what was under way
        assert proxy.received < made.video.size_bytes + proxy.cuts * SLACK
        before = proxy.received
        command.run("submit", made.recording, "--to", proxy.url)
        assert proxy.received == before, "what was sent is not sent again"
    assert waiting(sender) == []
    assert f"Sent to {proxy.url}" in command.run("status").stdout
    assert "is processed there" in command.error("process", made.recording)


def test_a_client_killed_half_way_goes_on_at_the_byte_where_it_stopped(
    sender: Workspace, server: Server, noise: Path
) -> None:
    made = make_take(sender, noise)
    command = Command(sender.folder)
    with breaking_proxy(server.port, pause=0.01) as proxy:
        words = command.arguments("submit", "--all", "--to", proxy.url)
        client = subprocess.Popen(words, env=command.environment, stderr=subprocess.DEVNULL)
        proxy.wait_for(made.video.size_bytes // 2)
        client.kill()
        client.wait()
        time.sleep(0.5)
        (received,) = (server.workspace.folder / "uploads").iterdir()
        arrived = received.stat().st_size
        assert arrived > made.video.size_bytes // 2 - SLACK
        assert sender.catalog.recording(made.recording).state is State.DRAFT
        proxy.received, proxy.pause = 0, 0.0
        command.run("submit", "--all", "--to", proxy.url)
        assert proxy.received < made.video.size_bytes - arrived + 20_000, "bytes that had arrived were sent again"
        assert_arrived(made, sender, server, noise, proxy.url)


def test_a_server_killed_half_way_and_started_again_goes_on(sender: Workspace, server: Server, noise: Path) -> None:
    made = make_take(sender, noise)
    command = Command(sender.folder)
    with breaking_proxy(server.port, pause=0.01) as proxy:
        words = command.arguments("submit", "--all", "--to", proxy.url)
        client = subprocess.Popen(words, env=command.environment, stderr=subprocess.DEVNULL)
        proxy.wait_for(made.video.size_bytes // 2)
        server.end(signal.SIGKILL)
        server.start()
        assert client.wait(timeout=30) == 0
        assert proxy.received < made.video.size_bytes + 10 * SLACK
        assert_arrived(made, sender, server, noise, proxy.url)


def test_a_server_that_is_not_there_is_told_in_one_line_and_the_take_is_kept(
    sender: Workspace, server: Server, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_take(sender, clip)
    command = Command(sender.folder)
    monkeypatch.setenv("KINESPHERE_TOKEN", "a-wrong-token-for-all")
    assert "the token is missing or wrong; the take is kept" in command.error("submit", "--all", "--to", server.url)
    monkeypatch.setenv("KINESPHERE_TOKEN", TOKEN)
    assert "use https://" in command.error("submit", "--all", "--to", "http://example.org")
    assert "is no server" in command.error("submit", "--all", "--to", "ftp://example.org")
    server.end()
    line = command.error("submit", "--all", "--to", server.url)
    assert f"the take is kept, go on with: kinesphere submit {made.recording} --to {server.url}" in line
    assert (sender.drafts / made.recording / "video.mp4").is_file()
    server.start()
    command.run("submit", made.recording, "--to", server.url)
    assert_arrived(made, sender, server, clip, server.url)


def test_what_the_server_does_not_take_is_told_in_one_line_and_kept(
    sender: Workspace, server: Server, clip: Path, noise: Path
) -> None:
    command, content = Command(sender.folder), clip.read_bytes()

    def refused(made: RecordingFile) -> str:
        line = command.error("submit", made.recording, "--to", server.url)
        assert (sender.drafts / made.recording / "video.mp4").is_file()
        assert sender.catalog.recording(made.recording).state is State.DRAFT
        assert server.stored() == []
        return line

    made = make_take(sender, clip)
    (sender.drafts / made.recording / "video.mp4").write_bytes(content[:-1] + b"!")
    assert "is not what was recorded" in refused(made)
    for bytes_sent, described, words in (
        (b"#EXTM3U\nfile:///etc/passwd\n", {}, "no MP4 video"),
        (content[:40] + bytes(1000), {}, "the video"),
        (content, {"width": 640}, "has width 192, not 640"),
    ):
        made = make_take(sender, clip)
        rewrite_draft(sender, made, bytes_sent, **described)
        assert words in refused(made)

    sender.catalog.add_contributor("c002")
    line = refused(make_take(sender, clip, "c002"))
    assert "no contributor named 'c002'" in line and "c001" not in line, "who else records is not told"
    changed = TASK.model_copy(update={"consent": "I agree to anything."})
    sender.catalog.add_task(changed)
    assert "no task named 'move'" in refused(make_take(sender, clip)), "the server has no version 2"
    server.workspace.catalog.add_task(changed.model_copy(update={"consent": "I agree to little."}))
    assert "consent text that was agreed to is not that of task 'move'" in refused(make_take(sender, clip))


def test_more_than_the_server_takes_is_refused_before_it_is_sent(
    sender: Workspace, tmp_path: Path, noise: Path, clip: Path
) -> None:
    large, small = make_take(sender, noise), make_take(sender, clip)
    command = Command(sender.folder)
    with running(make_workspace(tmp_path / "far"), "--upload-limit", "0.001") as server:
        with breaking_proxy(server.port) as proxy:
            done = command.run("submit", "--all", "--to", proxy.url, code=1)
            assert proxy.received < 100_000
        assert "more than this server takes" in done.stderr
        assert f"Submitted {small.recording}" in done.stdout, "one that is refused does not stop the others"
        assert (sender.drafts / large.recording / "video.mp4").is_file()
        assert server.workspace.objects.folders("recordings") == [small.recording]


def test_a_full_disk_at_the_far_end_is_told_and_leaves_nothing_there(
    sender: Workspace, small_disk: Path, noise: Path, tmp_path: Path
) -> None:
    large = make_take(sender, noise)
    fits_once = make_take(sender, _share(noise, tmp_path / "part.mp4", 4))
    assert 700_000 < fits_once.video.size_bytes < 1_500_000
    command = Command(sender.folder)
    with running(make_workspace(small_disk / "far")) as server:
        assert "the server's disk is full" in command.error("submit", large.recording, "--to", server.url)
        assert (sender.drafts / large.recording / "video.mp4").is_file()
        assert server.stored() == []
        files = [path for path in (small_disk / "far").rglob("*") if path.is_file() and "recordings" in path.parts]
        assert files == []
        command.run("submit", fits_once.recording, "--to", server.url)  # what was uploaded is not copied once more
        assert fits_once.recording in server.stored()


def test_what_became_of_it_is_asked_of_the_server(sender: Workspace, server: Server, clip: Path) -> None:
    made = make_take(sender, clip)
    command = Command(sender.folder)
    command.run("submit", "--all", "--to", server.url)
    catalog, recording = server.workspace.catalog, made.recording
    where = TrajectoryRecord(recording, "e" * 16, "f" * 32, 0, 20, "relative", 1.0, 0.5, 0.25)
    catalog.record_outcome(recording, State.FLAGGED, checks=[], trajectory=where, who="kinesphere", why="dark")
    Reviews(catalog).decide(recording, "return", reviewer="r1", feedback="Please turn on a light.")
    far = command.json("status", recording)["server"]
    assert far["state"] == "returned" and far["reviews"][0]["feedback"] == "Please turn on a light."
    shown = command.run("status", recording).stdout
    assert "A reviewer decided: return. Please turn on a light." in shown
    assert f"--contributor {made.contributor} --replaces {recording}" in shown
    server.end()
    assert "cannot be reached now" in command.run("status", recording).stdout
    server.start()


def test_what_was_sent_is_taken_back_there_first(sender: Workspace, server: Server, clip: Path) -> None:
    made = make_take(sender, clip)
    command = Command(sender.folder)
    command.run("submit", "--all", "--to", server.url)
    server.end()
    assert "cannot be reached now" in command.error("withdraw", made.recording, "--yes")
    assert sender.catalog.recording(made.recording).state is State.SUBMITTED
    server.start()
    done = command.json("withdraw", made.recording, "--yes")
    assert done["servers"] == {made.recording: "erased"}
    assert sender.catalog.recording(made.recording).state is State.ERASED
    assert server.workspace.catalog.recording(made.recording).state is State.ERASED
    assert server.workspace.objects.keys("recordings") == []


def test_only_this_computer_is_served_before_there_are_accounts(
    sender: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Command(sender.folder)
    for host in ("0.0.0.0", "192.168.1.5", "example.org", "::"):
        assert "nobody could sign in" in command.error("serve", "--host", host)
    monkeypatch.setenv("KINESPHERE_TOKEN", "short")
    assert "at least 16" in command.error("serve", "--port", "0")


def _share(video: Path, part: Path, frames: int) -> Path:
    """The first frames of a video."""
    with av.open(str(video)) as source, av.open(str(part), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            if number < frames and packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return part
