"""Where a life takes place: a contributor's computer and a server, on a small disk of the life's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from benchmarks.faults.failing_store import new_bucket, set_failing
from benchmarks.faults.life_disks import LifeDisk
from benchmarks.faults.life_isolation import own_address
from benchmarks.faults.life_plan import PlaceKind


@dataclass(frozen=True)
class Cloud:
    """The servers that lives of the kind `cloud` share."""

    postgres_url: str
    s3: tuple[str, int]
    """Address and port."""
    proxy_port: int


@dataclass(frozen=True)
class Place:
    """One life's own."""

    kind: PlaceKind
    folder: Path
    """In which everything local lies."""
    disk: LifeDisk | None
    """Its own; None where nobody may mount one: then it is never full, and its power never cut."""
    catalog: str
    """URL of the server's catalog."""
    store: str
    """URL of the server's objects."""
    port: int
    """That the server listens at."""
    host: str
    """Its address: of this life alone, so that whatever else runs here takes no port away while it is down."""
    cloud: Cloud | None

    @property
    def near(self) -> Path:
        """The contributor's workspace."""
        return self.folder / "near"

    @property
    def far(self) -> Path:
        """The server's workspace."""
        return self.folder / "far"

    def let_time_pass(self) -> None:
        """Let all be an hour old: what a killed process was writing is taken for left after a minute, and so are the
        folders that it made."""
        long_ago = time.time() - 3600
        for folder, folders, files in os.walk(self.folder):
            for name in (*files, *folders):
                with contextlib.suppress(FileNotFoundError):
                    os.utime(Path(folder, name), (long_ago, long_ago))

    def let_store_fail(self, rate: float, seed: int) -> None:
        """Let the object store fail at a share of all requests; 0 lets it work."""
        if self.cloud is not None:
            set_failing(self.cloud.proxy_port, rate, seed)

    def cut_database(self) -> None:
        """End all connections to the life's database, as a database that is started anew does."""
        assert self.cloud is not None
        with _admin(self.cloud) as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                {"name": make_url(self.catalog).database},
            )


@contextmanager
def new_place(kind: PlaceKind, seed: int, cloud: Cloud | None, home: Path) -> Iterator[Place]:
    """Make a place, and take it away at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix=f"life-{seed}-", dir=home))
    image = home / f"{folder.name}.img"
    disk = LifeDisk.on_device(folder, image) if kind == "disk" else LifeDisk(folder)
    own = disk if disk is not None and disk.mount() else None
    host = own_address()
    with socket.create_server((host, 0)) as free:
        port: int = free.getsockname()[1]
    name = f"life_{seed}_{folder.name.rsplit('-', 1)[1]}".lower().replace("_", "")
    catalog, store = "sqlite:///catalog.sqlite", "."
    try:
        if kind == "cloud":
            assert cloud is not None
            catalog, store = _new_database(cloud, name), f"s3://{name}/workspace"
            new_bucket(cloud.s3, name)
            _point_to(cloud.proxy_port)
        yield Place(kind, folder, own, catalog, store, port, host, cloud if kind == "cloud" else None)
    finally:
        if kind == "cloud" and cloud is not None:
            with contextlib.suppress(Exception), _admin(cloud) as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        if own is not None:
            own.unmount()
        image.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def _point_to(port: int) -> None:
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ALLOW_HTTP="true",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION="us-east-1",
    )


def _new_database(cloud: Cloud, name: str) -> str:
    with _admin(cloud) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    return make_url(cloud.postgres_url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _admin(cloud: Cloud) -> Iterator[Any]:
    url = make_url(cloud.postgres_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()
