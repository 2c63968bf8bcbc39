"""What `/metrics` says, to whom, read by Prometheus's own parser from a real server."""

from __future__ import annotations

import platform
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine, make_url, text

from capture.drafts.outbox import submit
from kinesphere.version import __version__
from storage.catalog import Erasures, Role
from storage.catalog.state_machine import new_event
from storage.catalog.tables import EventTable
from storage.catalog.workload import measure_workload
from storage.recordings.recording import State
from storage.workspace import Workspace, create_workspace
from studio.pipeline.withdrawal import take_back
from studio.web.http.connection_limits import ConnectionLimits
from studio.web.uploads.upload_quota import UploadQuota
from tests.support.filled_studio import fill
from tests.support.studio_server import MONITORING_TOKEN, Studio, new_account, running_studio
from tests.support.submitted_takes import make_take, make_workspace
from tests.support.video_clips import make_clip

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(studio: Studio, token: str | None = MONITORING_TOKEN) -> Samples:
    """The numbers, by name and labels."""
    with studio.client(token=token) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    quota = UploadQuota(uploads_each=2)
    with running_studio(workspace, quota=quota, connections=ConnectionLimits(header_seconds=0.3)) as started:
        yield started


def test_requests_are_counted_by_their_routes_and_not_by_their_addresses(studio: Studio) -> None:
    with studio.client() as client:
        for _ in range(3):
            client.get(f"/api/recordings/20261123-094500-{secrets.token_hex(4)}")
        client.get("/no/such/page")
        client.request("PURGE", "/sign-in")
    samples = scraped(studio)
    route = {"method": "GET", "route": "/api/recordings/{recording}"}
    assert value(samples, "kinesphere_requests_total", **route, status="404") == 3
    assert value(samples, "kinesphere_request_seconds_count", **route) == 3
    assert 0 < value(samples, "kinesphere_request_seconds_sum", **route) < 60
    assert value(samples, "kinesphere_requests_total", method="GET", route="(none)", status="404") == 1
    assert value(samples, "kinesphere_requests_total", method="other", route="/sign-in", status="405") == 1
    assert value(samples, "kinesphere_refusals_total", reason="NotFound") == 3
    assert value(samples, "kinesphere_requests_open") == 1, "the one that asks"
    assert value(samples, "kinesphere_build_info", version=__version__, python=platform.python_version()) == 1
    assert value(samples, "process_resident_memory_bytes") > 1e7


def test_refusals_of_sign_ins_tokens_quotas_and_connections_are_counted(studio: Studio) -> None:
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "1000"}
    with studio.client() as client:
        statuses = [client.post("/api/uploads", headers=tus).status_code for _ in range(3)]
        assert statuses == [201, 201, 429]
    with studio.client(token=None) as client:
        assert client.post("/sign-in", data={"account": "otto", "password": "wrong"}).status_code == 401
    with studio.client(token="wrong") as client:
        assert client.get("/metrics").status_code == 401
    with socket.create_connection(("127.0.0.1", int(studio.url.rsplit(":", 1)[1]))) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        slow.settimeout(20)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    samples = scraped(studio)
    refused = {reason: value(samples, "kinesphere_refusals_total", reason=reason) for reason in
               ("TooManyUploads", "WrongPassword", "Unauthorized", "SlowHeaders")}  # fmt: skip
    assert refused == {"TooManyUploads": 1, "WrongPassword": 1, "Unauthorized": 1, "SlowHeaders": 1}
    assert value(samples, "kinesphere_uploads") == 2
    assert value(samples, "kinesphere_upload_bytes") == 2000


def test_open_connections_and_event_streams_are_counted(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "workspace")
    content = fill(workspace, tmp_path)
    with running_studio(workspace) as studio, studio.client(token=content.tokens["anna"]) as anna:
        with anna.stream("GET", f"/api/annotations/{content.annotation}/events") as stream:
            sent = stream.iter_lines()  # kept: without it the stream would be closed
            assert (stream.status_code, next(sent)) == (200, "retry: 2000")
            samples = scraped(studio)
            assert value(samples, "kinesphere_event_streams_open") == 1
            assert value(samples, "kinesphere_connections_open") == 2
        until = time.monotonic() + 20
        while value(scraped(studio), "kinesphere_event_streams_open"):
            assert time.monotonic() < until, "it counts a stream that has ended"
        route = {"method": "GET", "route": "/api/annotations/{annotation}/events"}
        assert value(scraped(studio), "kinesphere_request_seconds_count", **route) == 1
    workspace.catalog.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    url = "sqlite:///catalog.sqlite" if request.param == "sqlite" else request.getfixturevalue("own_postgres_url")
    made = make_workspace(tmp_path / "place", catalog=url)
    yield made
    made.catalog.close()


def test_the_workload_is_counted(place: Workspace, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=10)
    takes = [make_take(place, clip).recording for _ in range(4)]
    for recording in takes[:3]:
        submit(place, recording)
    take_back(place, "c001", [takes[2]])
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with place.catalog.writing() as session:
        event = session.query(EventTable).filter_by(recording=takes[1], to_state=State.SUBMITTED).one()
        event.at = hour_ago
        session.add(new_event(takes[1], "kinesphere", State.SUBMITTED, State.SUBMITTED, "try 1 of 3 failed: a test"))
    with running_studio(place) as studio:
        samples = scraped(studio)
    by_state = {state.value: value(samples, "kinesphere_recordings", state=state.value) for state in State}
    assert {name: count for name, count in by_state.items() if count} == {"draft": 1, "submitted": 2, "erased": 1}
    assert value(samples, "kinesphere_processing_waiting") == 2
    assert 3600 <= value(samples, "kinesphere_processing_oldest_wait_seconds") < 3600 + 300
    assert value(samples, "kinesphere_processing_failed_tries") == 1
    assert value(samples, "kinesphere_processing_given_up") == 0
    assert value(samples, "kinesphere_erasures_total") == len(Erasures(place.catalog).done()) == 1
    assert value(samples, "kinesphere_reviews_waiting") == 0 == value(samples, "kinesphere_erasures_unfinished")
    assert value(samples, "kinesphere_catalog_up") == 1
    assert value(samples, "kinesphere_disk_free_bytes", folder="workspace") > 0


def test_reviews_and_trajectories_are_counted(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "workspace")
    fill(workspace, tmp_path)
    workload = measure_workload(workspace.catalog)
    workspace.catalog.close()
    assert (workload.reviews, workload.trajectories, workload.recordings[State.FLAGGED]) == (1, 2, 1)
    assert workload.reviews_since is not None and workload.reviews_since <= datetime.now(UTC)
    assert (workload.waiting, workload.waiting_since) == (0, None)


def test_only_operators_and_the_token_for_metrics_may_read_them_whatever_address_asks(workspace: Workspace) -> None:
    tokens = {role: new_account(workspace, role.value, role, contributor="c001" if role is Role.CONTRIBUTOR else None)
              for role in Role}  # fmt: skip
    with running_studio(workspace) as studio:
        for role, token in tokens.items():
            with studio.client(token=token) as client:
                assert client.get("/metrics").status_code == (200 if role is Role.OPERATOR else 403)
        with studio.client(token=None) as client:
            answer = client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
            assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
            assert "kinesphere_" not in answer.text
        with studio.client(token=MONITORING_TOKEN) as client:
            assert client.get("/metrics").status_code == 200
            for path in ("/", "/dashboard", "/people", "/api/openapi.json", "/account", "/mine", "/label"):
                assert client.get(path).status_code == 403, path
            assert client.post("/api/account/tokens", json={"name": "more"}).status_code == 403


def test_what_speaks_openmetrics_gets_it(studio: Studio) -> None:
    with studio.client(token=MONITORING_TOKEN) as client:
        answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    names = {family.name for family in open_metrics(answer.text)}  # type: ignore[no-untyped-call]
    assert {"kinesphere_recordings", "kinesphere_requests", "kinesphere_erasures"} <= names


def test_nobody_and_nothing_is_named(tmp_path: Path) -> None:
    workspace = create_workspace(tmp_path / "workspace")
    content = fill(workspace, tmp_path)
    with running_studio(workspace) as studio:
        with studio.client() as client:
            for recording in (content.accepted, content.flagged):
                client.get(f"/api/recordings/{recording}")
            client.get("/invitation?code=some-invitation")
        with studio.client(token=MONITORING_TOKEN) as client:
            text = client.get("/metrics").text
    workspace.catalog.close()
    for named in (content.accepted, content.flagged, "c001", "c002", "anna", "otto", "some-invitation", str(tmp_path)):
        assert named not in text, named


def test_without_its_catalog_the_server_still_tells_the_rest(tmp_path: Path, own_postgres_url: str) -> None:
    workspace = make_workspace(tmp_path / "place", catalog=own_postgres_url)
    with running_studio(workspace) as studio, gone(own_postgres_url):
        samples = scraped(studio)
    workspace.catalog.close()
    assert value(samples, "kinesphere_catalog_up") == 0
    assert not any(name == "kinesphere_recordings" for name, _ in samples)
    assert value(samples, "kinesphere_disk_free_bytes", folder="store") > 0


@contextmanager
def gone(url: str) -> Iterator[None]:
    """Let nobody into a database within the block."""
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    server = create_engine(parsed.set(database="postgres"), isolation_level="AUTOCOMMIT")
    name = parsed.database
    with server.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    server.dispose()
