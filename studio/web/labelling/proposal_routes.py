"""What helps to label a recording: segments that its motion suggests, moments of rest, and the edges of its frames."""

from __future__ import annotations

import time
from dataclasses import asdict

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from annotate.labels.frame_times import FrameTables
from annotate.proposals.motion_minima import motion_minima
from annotate.proposals.neighbours import Neighbours, learn
from annotate.proposals.proposals import proposals_of
from annotate.signals.signals import signals_of
from annotate.signals.trajectory_reader import TrajectoryReader, open_trajectory
from kinesphere.errors import NotFound, Withdrawn
from kinesphere.names import is_recording_id
from storage.catalog import RecordingRecord, Role
from storage.recordings.recording import State
from storage.workspace import Workspace
from studio.web.access.auth import needs
from studio.web.http.result_cache import ResultCache
from studio.web.page import Page, Studio

LEARN_EVERY = 600
"""Seconds for which what was learned from the labelled recordings of a task is used."""


def proposal_routes(studio: Studio) -> APIRouter:
    """The routes below `/api/recordings/{recording}` that the label page uses beside those of the player."""
    workspace = studio.workspace
    routes = APIRouter(prefix="/api/recordings/{recording}", dependencies=[needs(Role.ANNOTATOR)])
    frames = FrameTables(workspace)
    proposals: ResultCache[dict[str, object]] = ResultCache(256)
    neighbours: ResultCache[Neighbours] = ResultCache(16)

    @routes.get("/proposals")
    def show(recording: str) -> JSONResponse:
        """Segments that there may be, and when the motion pauses (ns); the same for whoever asks."""
        row = _recording(workspace, recording)
        trajectory = open_trajectory(workspace, recording)
        period = int(time.monotonic() // LEARN_EVERY)
        learned = neighbours.get(f"{row.task} {period}", lambda: learn(workspace, row.task))
        found = proposals.get(f"{trajectory.key} {period}", lambda: _proposed(trajectory, learned))
        return JSONResponse(found, headers={"Cache-Control": "no-store"})

    @routes.get("/label-edges")
    def edges(recording: str) -> Response:
        """When each frame of the trajectory begins and the last one ends, float64 little endian, ns: where segments
        may begin and end."""
        found = frames.edges(_recording(workspace, recording).recording)
        return Response(
            found.astype("<f8").tobytes(), media_type="application/octet-stream", headers={"Cache-Control": "no-store"}
        )

    return routes


PAGE = Page(proposal_routes, (Role.ANNOTATOR,))


def _proposed(trajectory: TrajectoryReader, neighbours: Neighbours) -> dict[str, object]:
    """All proposals for a trajectory, as if nothing of it was labelled: the page hides those that segments cover."""
    minima = motion_minima(trajectory.times_ns(), signals_of(trajectory).values("motion energy"))
    found = proposals_of(trajectory, (), neighbours)
    return {"proposals": [asdict(proposal) for proposal in found], "minima_ns": minima.times_ns.tolist()}


def _recording(workspace: Workspace, recording: str) -> RecordingRecord:
    if not is_recording_id(recording):
        raise NotFound("recording", recording[:40] if recording.isprintable() else "?")
    row = workspace.catalog.recording(recording)
    if row.state in (State.WITHDRAWN, State.ERASED):
        raise Withdrawn(f"recording {recording} was taken back by its contributor; choose another")
    return row
