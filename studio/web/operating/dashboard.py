"""The operator's dashboard: what came in and what waits, how good the gate is, how diverse the data, what it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from annotate.agreement.agreement_table import SHOWN, agreement_rows
from annotate.agreement.measured_agreement import measure_agreement
from annotate.diversity.diversity import DiversityReport, contributions, diversity, for_publication
from annotate.diversity.fairness_table import HEADINGS, fairness_rows, fairness_sentences, how_measured
from annotate.diversity.group_fairness import FairnessReport, compare_groups
from annotate.diversity.received_quality import measure_quality
from annotate.gate.gate_measures import Estimate, measure_gate
from annotate.gate.proposed_thresholds import calibrate
from kinesphere.dataset import Dataset, open_dataset
from kinesphere.errors import CorruptObject, NotFound
from kinesphere.objects.object_listing import total_size
from kinesphere.versions.manifests import list_datasets, list_versions
from storage.catalog import Attributes, Reviews, Role, Throughput
from storage.catalog.people.attributes import ATTRIBUTES
from storage.recordings.recording import State
from storage.workspace import Workspace
from studio.plots.diversity_plots import contributors_curve, hours_plot
from studio.plots.svg import bars_svg, shares_svg
from studio.web.access.auth import needs
from studio.web.http.page_rendering import render
from studio.web.page import Page, Studio

DAYS = 30
MOST_RECORDINGS = 300
"""Looked at for what each group gets: a page should not take long."""
Price = Annotated[float | None, Query(ge=0, le=1e6)]
FOLDERS: Mapping[str, str] = {
    "recordings": "videos",
    "shards": "trajectories",
    "datasets": "versions and their statistics",
}
"""Where bytes lie in the store, in words."""


def dashboard_routes(studio: Studio) -> APIRouter:
    """The pages below `/dashboard`."""
    workspace = studio.workspace
    routes = APIRouter(prefix="/dashboard", dependencies=[needs(Role.OPERATOR)])
    catalog = workspace.catalog

    @routes.get("")
    def overview(request: Request) -> Response:
        throughput = Throughput(catalog)
        return render(
            request,
            "operating/dashboard.html",
            queues=throughput.queues(),
            arrivals=_by_day(workspace),
            days=DAYS,
            waiting=len(Reviews(catalog).queue()),
            now=datetime.now(UTC),
            State=State,
            ago=_ago,
        )

    @routes.get("/gate")
    def gate(request: Request, task: str | None = None) -> Response:
        measured = measure_gate(catalog, task or None)
        tasks = [stored.task.name for stored in catalog.tasks()]
        return render(
            request, "operating/gate.html", measured=measured, tasks=tasks, task=task or "", share=_share, ago=_ago
        )

    @routes.get("/gate/{check}.svg")
    def curve(check: str, task: str, miss: Annotated[float, Query(ge=0, le=1)] = 0.05) -> Response:
        """What each threshold of a check would miss and doubt, with the one that is proposed."""
        proposal = calibrate(catalog, check, task, miss)
        marks = {
            "now": (proposal.now.doubted, proposal.now.missed),
            f"proposed: {proposal.doubt:g}": (proposal.at_doubt.doubted, proposal.at_doubt.missed),
        }
        points = [(point.doubted, point.missed) for point in proposal.curve]
        note = f"of {proposal.decided} decided recordings of {task}"
        return _svg(shares_svg(check, note, points, ("share doubted", "share of the bad ones missed"), marks=marks))

    @routes.get("/diversity")
    def diverse(request: Request, dataset: str | None = None) -> Response:
        names = list_datasets(workspace.objects)
        chosen = dataset or (names[0] if names else None)
        found = _Diversity.of(workspace, chosen) if chosen is not None else None
        fairness, damage = (None, "") if found is None else found.fairness()
        return render(
            request,
            "operating/diversity.html",
            names=names,
            dataset=chosen,
            report=None if found is None else found.report,
            fairness=fairness,
            damage=damage,
            headings=HEADINGS,
            rows=fairness_rows,
            sentences=fairness_sentences,
            how_measured=how_measured,
        )

    @routes.get("/diversity/{dataset}/{plot}.svg")
    def plot(dataset: str, plot: str) -> Response:
        report = _Diversity.of(workspace, dataset).report
        plots = {breakdown.by: breakdown for breakdown in (report.by_task, *report.by_attribute)}
        if plot == "contributors":
            return _svg(contributors_curve(report))
        if plot not in plots:
            raise NotFound("plot", plot[:40], ["contributors", *plots])
        return _svg(hours_plot(plots[plot], report))

    @routes.get("/agreement")
    def agreed(request: Request, task: str | None = None) -> Response:
        """How well annotators agree on what two of them labelled."""
        report = measure_agreement(catalog, task=task or None)
        tasks = [stored.task.name for stored in catalog.tasks()]
        return render(
            request,
            "operating/agreement.html",
            report=report,
            tasks=tasks,
            task=task or "",
            columns=SHOWN.values(),
            rows=agreement_rows,
        )

    @routes.get("/storage")
    def stored(request: Request, price: Price = None, core_price: Price = None) -> Response:
        sizes = {folder: total_size(workspace.objects, folder) for folder in FOLDERS}
        hours = sum(queue.hours for queue in Throughput(catalog).queues() if queue.state is not State.ERASED)
        versions = {name: list_versions(workspace.objects, name) for name in list_datasets(workspace.objects)}
        return render(
            request,
            "operating/storage.html",
            sizes=sizes,
            words=FOLDERS,
            hours=hours,
            versions=versions,
            price=price,
            core_price=core_price,
            extraction=Throughput(catalog).extraction(),
        )

    @routes.get("/arrivals.svg")
    def arrivals() -> Response:
        bars = [
            (day, hours, f"{hours:.2f} h, {count} recordings") for day, (count, hours) in _by_day(workspace).items()
        ]
        return _svg(bars_svg(f"Recorded in the last {DAYS} days", "hours a day (UTC)", bars))

    return routes


PAGE = Page(dashboard_routes, (Role.OPERATOR,), name="Dashboard", path="/dashboard")


def _by_day(workspace: Workspace) -> dict[str, tuple[int, float]]:
    """Recordings and hours of each day on which something came in."""
    days: defaultdict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for row in Throughput(workspace.catalog).arrivals(DAYS):
        count, hours = days[row.day.isoformat()]
        days[row.day.isoformat()] = (count + row.recordings, hours + row.seconds / 3600)
    return dict(days)


@dataclass(frozen=True)
class _Diversity:
    """The diversity of a dataset's newest version, as it may be shown to others, and what it was made of."""

    version: Dataset
    declared: Mapping[str, Mapping[str, str]]
    report: DiversityReport

    @classmethod
    def of(cls, workspace: Workspace, dataset: str) -> _Diversity:
        if dataset not in list_datasets(workspace.objects):
            raise NotFound("dataset", dataset[:64], list_datasets(workspace.objects))
        version = open_dataset(workspace.dataset_location(dataset))
        declared = Attributes(workspace.catalog).all()
        report = for_publication(diversity(contributions(version.episodes, declared), ATTRIBUTES))
        return cls(version, declared, report)

    def fairness(self) -> tuple[FairnessReport | None, str]:
        """What each group gets, where anybody declared anything; or what is damaged: the rest needs no shards."""
        if not self.report.by_attribute:
            return None, ""
        try:
            quality = measure_quality(self.version, most_recordings=MOST_RECORDINGS)
        except CorruptObject as error:
            return None, str(error)
        return compare_groups(quality, self.declared, self.report), ""


def _svg(content: str) -> Response:
    return Response(content, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


def _share(estimate: Estimate | None) -> str:
    return "not known" if estimate is None else f"{estimate.value:.0%} ({estimate.low:.0%}–{estimate.high:.0%})"


def _ago(seconds: float | timedelta | None) -> str:
    """How long, as people say it."""
    if seconds is None:
        return ""
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if total >= 2 * size:
            return f"{total / size:.0f} {unit}"
    return f"{total:.0f} s"
