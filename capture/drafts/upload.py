"""Sends takes to a server: resumes at the byte where it stopped, and lets a take go only when the server has it."""

from __future__ import annotations

import base64
import ipaddress
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from capture.drafts.outbox import delete_draft, read_draft
from kinesphere.errors import Conflict, CorruptObject, InvalidInput, NotFound, StorageFailed, needs_extra
from kinesphere.objects.local_files import remove_staged, write_whole
from kinesphere.objects.store import file_sha256
from storage.recordings.recording import RecordingFile, State, check_length
from storage.workspace import Workspace

if TYPE_CHECKING:
    import httpx

PART_BYTES = 4 << 20
"""Sent in one request."""

PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each new attempt, since the last byte that arrived; after the last pause we give up."""

PAUSES_AT_FIRST = 3
"""How many of them are for a server that has never answered: its URL may be mistyped."""

_TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class Server:
    """A server and the token that opens it; made with `server_at`."""

    url: str
    token: str


def server_at(url: str, token: str | None) -> Server:
    """The server at a URL.

    Args:
        url: https, or http on this computer itself.
        token: as the server's operator gave it to the contributor.

    Returns:
        The server; nothing has been asked of it yet.

    Raises:
        InvalidInput: the URL is none, would send the token readable over a network, or there is no token.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise InvalidInput(f"'{url}' is no server; give its URL, e.g. https://kitchen.example.org")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise InvalidInput(f"{url} would send your video and the token readable to others; use https://")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput(f"{url} wants a token; set KINESPHERE_TOKEN or give --token")
    return Server(url.rstrip("/"), token)


def send(
    workspace: Workspace,
    recording: str,
    server: Server,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Send one draft; it is deleted when the server has confirmed its sha256, and not before.

    Interrupted anywhere, it can be repeated. A recording that this server has is not sent again.

    Args:
        workspace: the one that the draft lies in.
        recording: the draft's id.
        server: where to send it.
        on_progress: told the bytes that the server has, and how many there are.

    Raises:
        NotFound, InvalidInput: the server does not know the task or the contributor, or does not take the video;
            or it is too long to be processed.
        Conflict: it is no draft, another process is sending it, or the server has another recording of this id.
        CorruptObject: the draft is not what was recorded.
        StorageFailed: the server cannot be reached, or its disk is full. The take is kept.
    """
    with _send_lock(workspace, recording), _client(server) as client:
        row = workspace.catalog.recording(recording)
        folder = workspace.drafts / recording
        if row.state is State.SUBMITTED and row.sent_to == server.url:
            delete_draft(folder)
            return
        if row.state is not State.DRAFT:
            where = f" to {row.sent_to}" if row.sent_to else ""
            raise Conflict(f"recording {recording} is {row.state}{where}; only drafts are sent")
        remove_staged(folder)
        check_length(recording, row.frames, row.frame_rate)
        description = read_draft(folder)
        if file_sha256(folder / "video.mp4") != description.video.sha256:
            raise CorruptObject(f"the video of draft {recording} is not what was recorded; restore it, or record again")
        confirmed = _Sending(server, client, folder, description, on_progress).run()
        if confirmed.get("video_sha256") != description.video.sha256:
            raise CorruptObject(f"{server.url} did not confirm the video of {recording}; the take is kept")
        workspace.catalog.submit(recording, who=row.contributor, sent_to=server.url)
        delete_draft(folder)


def end_upload(workspace: Workspace, recording: str, token: str | None) -> str | None:
    """Let the server forget what it has of a draft that was begun to be sent and will not be; else do nothing.

    Args:
        workspace: the one that the draft lies in.
        recording: the draft's id.
        token: of the server that it was begun to be sent to.

    Returns:
        The server's URL if it has forgotten; None if nothing was begun.

    Raises:
        InvalidInput: there is no token, or the server does not take it.
        StorageFailed: the server cannot be reached.
    """
    file = workspace.drafts / recording / "upload.json"
    try:
        saved = json.loads(file.read_bytes())
        url, location = str(saved["server"]), str(saved["location"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    server = server_at(url, token)
    with needs_extra("capture"):
        import httpx

    with _client(server) as client:
        try:
            answer = client.delete(location, headers=_TUS, timeout=10)
        except httpx.TransportError as error:
            raise StorageFailed(f"{server.url} cannot be reached now ({_reason(error)}); try again later") from error
        if answer.status_code not in (404, 410):
            _check(answer, server)
    file.unlink(missing_ok=True)
    return server.url


def ask_state(recording: str, server: Server) -> dict[str, Any]:
    """What a server says of a recording that it has.

    Args:
        recording: its id.
        server: the one that it was sent to.

    Returns:
        `state` and `reviews`.

    Raises:
        NotFound: it does not have it.
        StorageFailed: it cannot be reached.
    """
    return _call(server, "GET", f"/api/recordings/{recording}")


def withdraw_there(recording: str, server: Server, *, video_sha256: str, why: str) -> dict[str, Any]:
    """Take a recording back from a server that has it.

    Args:
        recording: its id.
        server: the one that it was sent to.
        video_sha256: of its video, which shows that we are those who made it.
        why: the reason, as it enters the recording's events.

    Returns:
        What the server says of it now.

    Raises:
        NotFound: it does not have it.
        InvalidInput: the hash is of another video.
        StorageFailed: it cannot be reached; nothing has changed.
    """
    proof = {"video_sha256": video_sha256, "why": why}
    return _call(server, "POST", f"/api/recordings/{recording}/withdraw", json=proof)


def _call(server: Server, method: str, path: str, **content: Any) -> dict[str, Any]:
    with needs_extra("capture"):
        import httpx

    with _client(server) as client:
        try:
            answer = client.request(method, path, timeout=10, **content)
        except httpx.TransportError as error:
            raise StorageFailed(f"{server.url} cannot be reached now ({_reason(error)}); try again later") from error
        _check(answer, server)
        return _content(answer, server)


class NotKnownThere(NotFound):
    """The server does not know a thing; the text is the server's."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)


class _ConnectionLost(Exception):
    """The connection broke, or the server is busy: worth another attempt."""


@dataclass
class _Sending:
    server: Server
    client: httpx.Client
    folder: Path
    description: RecordingFile
    on_progress: Callable[[int, int], None]
    failures: int = 0
    """Attempts in a row by which no byte arrived."""
    furthest: int = 0
    reached: bool = False

    def run(self) -> dict[str, Any]:
        while True:
            try:
                return self._attempt()
            except _ConnectionLost as error:
                if self.failures == (len(PAUSES) if self.reached else PAUSES_AT_FIRST):
                    again = f"kinesphere submit {self.description.recording} --to {self.server.url}"
                    raise StorageFailed(
                        f"{self.server.url} cannot be reached ({error}); the take is kept, go on with: {again}"
                    ) from error
                time.sleep(PAUSES[self.failures])
                self.failures += 1

    def _attempt(self) -> dict[str, Any]:
        known = self._describe(None)
        if "video_sha256" in known:
            return known
        upload = self._resumed_upload() or self._started_upload()
        self._send_parts(*upload)
        return self._describe(upload[0].rsplit("/", 1)[-1])

    def _describe(self, upload: str | None) -> dict[str, Any]:
        message = {"recording": self.description.model_dump(mode="json"), "upload": upload}
        answer = self._request("POST", "/api/recordings", json=message, timeout=600)
        return _content(answer, self.server)

    def _resumed_upload(self) -> tuple[str, int] | None:
        """Where the upload is that was begun before, and the bytes that have arrived."""
        try:
            saved = json.loads(self._resume_file.read_bytes())
            location = str(saved["location"]) if saved["server"] == self.server.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if location is None:
            return None
        try:
            answer = self._request("HEAD", location, headers=_TUS)
        except NotFound:
            return None
        if _offset(answer, "Upload-Length") != self.description.video.size_bytes:
            return None
        return location, _offset(answer, "Upload-Offset")

    def _started_upload(self) -> tuple[str, int]:
        length = str(self.description.video.size_bytes)
        known = {"contributor": self.description.contributor, "recording": self.description.recording}
        told = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in known.items())
        answer = self._request(
            "POST", "/api/uploads", headers=_TUS | {"Upload-Length": length, "Upload-Metadata": told}
        )
        location = urlsplit(answer.headers.get("Location", "")).path
        if not location.startswith("/"):
            raise InvalidInput(f"{self.server.url} is no kinesphere server; the take is kept")
        write_whole(self._resume_file, json.dumps({"server": self.server.url, "location": location}).encode())
        return location, 0

    def _send_parts(self, location: str, offset: int) -> None:
        total = self.description.video.size_bytes
        self._arrived(offset)
        with (self.folder / "video.mp4").open("rb") as video:
            while offset < total:
                video.seek(offset)
                headers = _TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                answer = self._request("PATCH", location, headers=headers, content=video.read(PART_BYTES))
                offset = _offset(answer, "Upload-Offset")
                self._arrived(offset)

    def _arrived(self, offset: int) -> None:
        if offset > self.furthest:
            self.furthest, self.failures = offset, 0
        self.on_progress(offset, self.description.video.size_bytes)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        import httpx

        try:
            answer = self.client.request(method, path, **options)
        except httpx.TransportError as error:
            raise _ConnectionLost(_reason(error)) from error
        self.reached = True
        moved_on = answer.status_code == 409 and method in ("HEAD", "PATCH")
        if moved_on or answer.status_code in (408, 499, 500, 502, 503, 504):
            raise _ConnectionLost(f"it answers {answer.status_code}")
        _check(answer, self.server)
        return answer

    @property
    def _resume_file(self) -> Path:
        """Where the upload's address is kept, beside the draft, for the time after a crash."""
        return self.folder / "upload.json"


@contextmanager
def _client(server: Server) -> Iterator[httpx.Client]:
    with needs_extra("capture"):
        import httpx

    # A proxy of the environment knows nothing of this computer's own addresses.
    trust = not _is_loopback(urlsplit(server.url).hostname or "")
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=90, trust_env=trust) as client:
        yield client


@contextmanager
def _send_lock(workspace: Workspace, recording: str) -> Iterator[None]:
    """Keep other processes from sending the same draft within the block."""
    row = workspace.catalog.recording(recording)  # before the name becomes a file's
    workspace.drafts.mkdir(exist_ok=True)
    lock = FileLock(workspace.drafts / f".{row.recording}.sending")
    try:
        with lock.acquire(timeout=0):
            yield
            Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout as error:
        raise Conflict(f"recording {recording} is being sent by another process; wait for it") from error


def _check(answer: httpx.Response, server: Server) -> None:
    """Turn a refusal into one of our errors, in the server's own words where it has some."""
    if answer.is_success:
        return
    try:
        words = str(answer.json()["error"])[:400]
    except (ValueError, KeyError, TypeError):
        words = f"it answers {answer.status_code}"
    text = f"{server.url}: {words}; the take is kept"
    match answer.status_code:
        case 404:
            raise NotKnownThere(text)
        case 409:
            raise Conflict(text)
        case 507:
            raise StorageFailed(text)
    raise InvalidInput(text)


def _content(answer: httpx.Response, server: Server) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(f"{server.url} is no kinesphere server; the take is kept")
    return found


def _offset(answer: httpx.Response, header: str) -> int:
    text = answer.headers.get(header, "")
    if not text.isdigit():
        raise InvalidInput(f"{answer.url.host} does not speak tus: its answer has no {header}; the take is kept")
    return int(text)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
