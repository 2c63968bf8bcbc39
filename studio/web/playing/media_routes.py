"""What a player asks for: the video in ranges, when each frame is played, landmarks to draw over it, signals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from annotate.signals.signals import UNITS, Signals, signals_key, signals_of
from annotate.signals.skeletons import Skeletons, skeletons_of
from annotate.signals.trajectory_reader import TrajectoryReader, open_trajectory
from kinesphere.errors import Conflict, InvalidInput, NotFound, Withdrawn
from kinesphere.names import is_recording_id
from kinesphere.video.video_keys import video_key
from storage.catalog import Audit, RecordingRecord, Role
from storage.footage.frame_edges import Edges, frame_edges
from storage.recordings.recording import RecordingFile, State, description_key
from storage.workspace import Workspace
from studio.web.access.auth import Person, needs
from studio.web.http.byte_ranges import ranged
from studio.web.http.result_cache import ResultCache
from studio.web.page import Page, Studio
from studio.web.playing.isolated_edges import read_through_apart

MOST_RUNS = 1 << 16
"""Runs of frames in one answer of signals: 4 MB."""
Place = Annotated[int, Query(ge=0, le=1 << 31)]
Number = Annotated[int, Query(ge=1, le=1 << 31)]
Viewer = Annotated[Person, needs(Role.ANNOTATOR, Role.REVIEWER, Role.CONTRIBUTOR)]


class Media:
    """The videos of a workspace and what belongs to them; what takes time to find is kept for the next who asks."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._sizes: ResultCache[int] = ResultCache(4096)
        self._descriptions: ResultCache[RecordingFile] = ResultCache(512)
        self._edges: ResultCache[Edges] = ResultCache(32)
        self._trajectories: ResultCache[TrajectoryReader] = ResultCache(64)
        self._skeletons: ResultCache[Skeletons] = ResultCache(16)
        self._signals: ResultCache[Signals] = ResultCache(8)
        self._opened: ResultCache[bool] = ResultCache(4096)

    def recording(self, recording: str, person: Person) -> RecordingRecord:
        """A recording whose video this person may see.

        Raises:
            NotFound: there is none, or it is another contributor's and the person is nothing but a contributor.
            Withdrawn: it was taken back.
            Conflict: its video is not here (any more).
        """
        if not is_recording_id(recording):
            raise NotFound("recording", recording[:40])
        row = self._workspace.catalog.recording(recording)
        if not person.may(Role.ANNOTATOR, Role.REVIEWER) and person.contributor != row.contributor:
            raise NotFound("recording", recording, hint="see: kinesphere status")
        if row.state in (State.WITHDRAWN, State.ERASED):
            raise Withdrawn(f"recording {recording} was taken back by its contributor; choose another")
        if row.state is State.DRAFT:
            raise Conflict(f"recording {recording} is not submitted yet; run: kinesphere submit {recording}")
        if row.sent_to is not None:
            raise Conflict(f"the video of recording {recording} is on the server {row.sent_to}; look at it there")
        return row

    def opened(self, row: RecordingRecord, person: Person) -> None:
        """Write into the audit trail who looks at the picture of a person, once a day for each recording."""
        audit, today = Audit(self._workspace.catalog), f"{datetime.now(UTC):%Y-%m-%d}"
        self._opened.get(
            f"{person.account} {row.recording} {today}",
            lambda: audit.note_daily(person.account, "video opened", row.recording),
        )

    def size(self, row: RecordingRecord) -> int:
        """Bytes of the video."""
        objects, key = self._workspace.objects, video_key(row.recording)
        return self._sizes.get(_identity(row), lambda: objects.get_part(key, 0, 1)[1])

    def edges(self, row: RecordingRecord) -> Edges:
        """See `storage.footage.frame_edges`."""
        objects, key = self._workspace.objects, video_key(row.recording)
        return self._edges.get(_identity(row), lambda: frame_edges(objects, key, read_through_apart))

    def codec(self, row: RecordingRecord) -> str:
        """FFmpeg's name of how the video is encoded."""
        objects, key = self._workspace.objects, description_key(row.recording)
        return self._descriptions.get(
            _identity(row), lambda: RecordingFile.from_bytes(objects.get(key), key)
        ).video.codec

    def trajectory(self, row: RecordingRecord) -> TrajectoryReader:
        """The newest trajectory.

        Raises:
            NotFound: there is none yet.
        """
        found = self._workspace.catalog.trajectory(row.recording)
        if found is None:
            hint = f"run: kinesphere process {row.recording}"
            raise NotFound("trajectory of recording", row.recording, hint=hint)
        key = f"{row.recording} {found.shard} {found.first_frame} {found.length}"
        return self._trajectories.get(key, lambda: open_trajectory(self._workspace, row.recording))

    def skeletons(self, row: RecordingRecord) -> Skeletons:
        """Its landmarks by the frames of the video."""
        trajectory = self.trajectory(row)
        key = f"{_identity(row)} {trajectory.key}"
        return self._skeletons.get(key, lambda: skeletons_of(trajectory, self.edges(row)))

    def signals(self, row: RecordingRecord) -> Signals:
        """Its signals, by the frames of the video."""
        trajectory, rows = self.trajectory(row), self.skeletons(row).rows

        def compute() -> Signals:
            found = signals_of(trajectory)
            is_same = np.array_equal(rows, np.arange(found.frames))
            return found if is_same else found.at_frames(rows)

        return self._signals.get(f"{_identity(row)} {signals_key(trajectory)}", compute)

    def described(self, row: RecordingRecord) -> dict[str, object]:
        """What a player has to know before it asks for anything else."""
        found = self._workspace.catalog.trajectory(row.recording)
        trajectory = self.trajectory(row) if found is not None else None
        return {
            "recording": row.recording,
            "width": row.width,
            "height": row.height,
            "frames": row.frames,
            "duration_ns": row.duration_ns,
            "codec": self.codec(row),
            "trajectory": trajectory and {
                "key": trajectory.key,
                "signals": [{"name": name, "unit": unit} for name, unit in UNITS.items()],
            },
        }  # fmt: skip


def media_routes(studio: Studio) -> APIRouter:
    """The routes below `/api/recordings/{recording}` that `static/js/player/player_panel.js` uses."""
    workspace = studio.workspace
    routes = APIRouter(prefix="/api/recordings/{recording}")
    media = Media(workspace)

    @routes.get("/media")
    def show(recording: str, person: Viewer) -> JSONResponse:
        """Size, number of frames, and whether there is a trajectory."""
        return JSONResponse(media.described(media.recording(recording, person)), headers=_UNKEPT)

    @routes.head("/video")
    @routes.get("/video")
    async def video(recording: str, request: Request, person: Viewer) -> Response:
        """The video, or a range of it."""
        row = await run_in_threadpool(media.recording, recording, person)
        await run_in_threadpool(media.opened, row, person)
        size = await run_in_threadpool(media.size, row)
        key = video_key(row.recording)
        return await ranged(request, workspace.objects, key, size, etag=row.video_sha256, media_type="video/mp4")

    @routes.get("/frames")
    def frames(recording: str, person: Viewer) -> Response:
        """When each frame is played, and when the last ends: float64, little endian, nanoseconds."""
        return _numbers(media.edges(media.recording(recording, person)).astype("<f8").tobytes())

    @routes.get("/skeleton")
    def skeleton(recording: str, person: Viewer, first: Place, count: Number) -> Response:
        """Landmarks of frames of the video, as `annotate.signals.skeletons` packs them."""
        return _numbers(media.skeletons(media.recording(recording, person)).to_bytes(first, count))

    @routes.get("/signals")
    def signals(recording: str, person: Viewer, level: Annotated[int, Query(ge=0, le=64)], first: Place,
                count: Number) -> Response:  # fmt: skip
        """All signals of frames of the video, as `annotate.signals.signals` gives them at a level."""
        found = media.signals(media.recording(recording, person))
        if count >> level > MOST_RUNS:
            raise InvalidInput(f"at most {MOST_RUNS} runs are given at once; choose a higher level")
        return _numbers(found.to_bytes(level, first, first + count))

    return routes


PAGE = Page(media_routes)


_UNKEPT = {"Cache-Control": "no-store"}


def _numbers(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream", headers=_UNKEPT)


def _identity(row: RecordingRecord) -> str:
    return f"{row.recording} {row.video_sha256}"
