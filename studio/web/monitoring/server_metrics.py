"""What is counted while the server runs, in the terms of Prometheus: requests, refusals, streams, the process."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from kinesphere.version import __version__

METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)

disable_created_metrics()  # type: ignore[no-untyped-call]


class ServerMetrics(Collector):
    """Counters of one server. Labels are routes, statuses and kinds, of which there are few: never ids or names."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "kinesphere_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "kinesphere_request_seconds",
            "From a request's headers to the end of its answer, or to the beginning of an event stream",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.open_requests = Gauge(
            "kinesphere_requests_open", "Requests that are being answered", registry=self.registry
        )
        self.streams = Gauge("kinesphere_event_streams_open", "Event streams of label pages", registry=self.registry)
        self.refusals = Counter(
            "kinesphere_refusals",
            "Requests that were refused or failed, by reason",
            ("reason",),
            registry=self.registry,
        )
        self.connections: Collection[object] = ()
        """Those that are open, as uvicorn keeps them."""
        ProcessCollector(registry=self.registry)

    def count_refusal(self, reason: str) -> None:
        """Count a request, a sign-in or a connection that was refused.

        Args:
            reason: a fixed word, such as the name of an error.
        """
        self.refusals.labels(reason).inc()

    def collect(self) -> Iterator[Metric]:
        """All that was counted, and what is open at this moment."""
        yield from self.registry.collect()
        yield gauge("kinesphere_connections_open", "Connections to this server", [((), len(self.connections))])
        build = GaugeMetricFamily("kinesphere_build_info", "What runs here", labels=("version", "python"))
        build.add_metric((__version__, platform.python_version()), 1)
        yield build


def gauge(
    name: str, words: str, values: Iterable[tuple[tuple[str, ...], float]], *, labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    """A gauge as Prometheus reads it.

    Args:
        name: with the unit at its end.
        words: what it is.
        values: the labels' values, and the value.
        labels: their names.
    """
    family = GaugeMetricFamily(name, words, labels=labels)
    for given, value in values:
        family.add_metric(given, value)
    return family
