"""What the workspace says when somebody asks for metrics: the queues of the catalog, the uploads, the room on disks."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from kinesphere.errors import KinesphereError
from storage.catalog.workload import Workload, measure_workload
from storage.workspace import Workspace
from studio.event_log import note
from studio.web.monitoring.server_metrics import gauge
from studio.web.monitoring.timed_look import TimedLook
from studio.web.uploads.upload_quota import stored_uploads

Found = TypeVar("Found")


@dataclass(frozen=True)
class Room:
    """Of a file system, in bytes."""

    free: int
    size: int


@dataclass(frozen=True)
class LocalFigures:
    """What lies on this computer's disks."""

    uploads: int
    """That were begun and are no recordings yet."""
    upload_bytes: int
    """What came of them, or will come where their length is known: what counts against the quota."""
    rooms: Mapping[str, Room]
    """Of the disks of the workspace's folder, and of its objects where those are files."""


class WorkspaceMetrics:
    """Looks at a workspace for those who ask, however often they do.

    Args:
        workspace: what is served.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._catalog = TimedLook(lambda: measure_workload(workspace.catalog))
        self._disks = TimedLook(lambda: local_figures(workspace))

    async def look(self) -> WorkspaceFigures:
        """The numbers of this moment; those of a catalog or a disk that does not answer are missing."""
        workload = await _found(self._catalog, "catalog")
        local = await _found(self._disks, "disks")
        return WorkspaceFigures(workload, local)


class WorkspaceFigures(Collector):
    """The numbers of one moment, as Prometheus reads them.

    Args:
        workload: of the catalog, if it answered.
        local: of this computer's disks, if they answered.
    """

    def __init__(self, workload: Workload | None, local: LocalFigures | None) -> None:
        self._workload = workload
        self._local = local

    def collect(self) -> Iterator[Metric]:
        """All that is known."""
        yield gauge("kinesphere_catalog_up", "Whether the catalog answered", [((), float(self._workload is not None))])
        if self._workload is not None:
            yield from _of_catalog(self._workload)
        if self._local is not None:
            yield from _of_disks(self._local)


def local_figures(workspace: Workspace) -> LocalFigures:
    """Count uploads, and see how much room there is.

    Raises:
        OSError: a disk refuses.
    """
    uploads = stored_uploads(workspace.uploads)
    rooms = {name: _room(folder) for name, folder in local_folders(workspace).items()}
    return LocalFigures(len(uploads), sum(one.size for one in uploads), rooms)


def local_folders(workspace: Workspace) -> dict[str, Path]:
    """The folders of this computer that a workspace needs room in, by what they are."""
    store = workspace.objects.local_path("")
    return {"workspace": workspace.folder} | ({"store": store} if store is not None else {})


def _room(folder: Path) -> Room:
    usage = shutil.disk_usage(folder)
    return Room(usage.free, usage.total)


async def _found(look: TimedLook[Found], what: str) -> Found | None:
    try:
        return await look.found()
    except (KinesphereError, OSError) as error:  # a TimeoutError is one
        note("metrics are missing", level=logging.WARNING, of=what, kind=type(error).__name__, reason=str(error))
        return None


def _of_catalog(workload: Workload) -> Iterator[Metric]:
    by_state = [((state.value,), float(count)) for state, count in workload.recordings.items()]
    yield gauge("kinesphere_recordings", "Recordings by state", by_state, labels=("state",))
    yield gauge("kinesphere_processing_waiting", "Recordings to be processed here", [((), workload.waiting)])
    yield gauge(
        "kinesphere_processing_oldest_wait_seconds",
        "For how long the first of them has waited; 0 where none does",
        [((), _age(workload.waiting_since))],
    )
    yield gauge(
        "kinesphere_processing_failed_tries", "Tries of those that wait, which failed", [((), workload.retried)]
    )
    yield gauge(
        "kinesphere_processing_given_up",
        "Recordings that could not be processed and wait for a person",
        [((), workload.unprocessed)],
    )
    yield gauge("kinesphere_reviews_waiting", "Opinions of reviewers that are asked for", [((), workload.reviews)])
    yield gauge(
        "kinesphere_reviews_oldest_wait_seconds",
        "For how long the first of them has been asked for; 0 where none is",
        [((), _age(workload.reviews_since))],
    )
    yield gauge("kinesphere_trajectories", "Extractions that came to an end", [((), workload.trajectories)])
    yield gauge(
        "kinesphere_extraction_core_seconds",
        "Processor time of those that were measured",
        [((), workload.core_seconds)],
    )
    done = CounterMetricFamily("kinesphere_erasures", "Erasures that are done")
    done.add_metric((), workload.erasures)
    yield done
    yield gauge("kinesphere_erasures_unfinished", "Erasures begun and not done", [((), workload.erasures_begun)])


def _of_disks(local: LocalFigures) -> Iterator[Metric]:
    yield gauge("kinesphere_uploads", "Uploads that are no recordings yet", [((), local.uploads)])
    yield gauge("kinesphere_upload_bytes", "Their size, as it counts against the quota", [((), local.upload_bytes)])
    free = [((name,), float(room.free)) for name, room in local.rooms.items()]
    size = [((name,), float(room.size)) for name, room in local.rooms.items()]
    yield gauge("kinesphere_disk_free_bytes", "Room on the disk of a folder", free, labels=("folder",))
    yield gauge("kinesphere_disk_size_bytes", "Size of the disk of a folder", size, labels=("folder",))


def _age(since: datetime | None) -> float:
    return max(0.0, time.time() - since.timestamp()) if since is not None else 0.0
