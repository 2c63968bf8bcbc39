"""What monitoring systems ask for: `/metrics`, `/health` and `/ready`."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from kinesphere.version import __version__
from storage.catalog import Role
from studio.web.access.auth import MONITORING, anybody, needs_monitoring, person_of
from studio.web.monitoring.readiness import Readiness
from studio.web.monitoring.workspace_metrics import WorkspaceMetrics
from studio.web.page import Page, Studio


class _Together(Collector):
    """What several collectors give."""

    def __init__(self, *collectors: Collector) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


def monitoring_routes(studio: Studio) -> APIRouter:
    """The routes; whether the server is alive and ready is for everybody, why it is not and the numbers are not."""
    routes = APIRouter()
    workspace_metrics, readiness = WorkspaceMetrics(studio.workspace), Readiness(studio.workspace)

    @routes.get("/metrics", dependencies=[needs_monitoring()])
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        content = encode(_Together(studio.metrics, await workspace_metrics.look()))
        return Response(content, headers={"Content-Type": content_type})

    @routes.api_route("/health", methods=["GET", "HEAD"], include_in_schema=False, dependencies=[anybody()])
    async def health() -> Response:
        """Alive: the process takes requests and answers. What it needs is not looked at."""
        return JSONResponse({"alive": True})

    @routes.api_route("/ready", methods=["GET", "HEAD"], include_in_schema=False, dependencies=[anybody()])
    async def ready(request: Request) -> Response:
        lacks = await readiness.lacks()
        answer: dict[str, object] = {"ready": not lacks, "reasons": [lack.reason for lack in lacks]}
        person = person_of(request)
        if person is not None and (person is MONITORING or person.may(Role.OPERATOR)):
            answer |= {"details": [f"{lack.reason}: {lack.detail}" for lack in lacks], "version": __version__}
        return JSONResponse(answer, 503 if lacks else 200)

    return routes


PAGE = Page(monitoring_routes)
