"""A workspace for reviews, on either database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from kinesphere.names import new_recording_id
from storage.workspace import Workspace, create_workspace, open_workspace
from tests.support.judged_recordings import TASK, enrol


@pytest.fixture(scope="module")
def empty_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = create_workspace(tmp_path_factory.mktemp("empty") / "place")
    enrol(made, TASK)
    made.catalog.close()
    return made.folder


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, empty_workspace: Path) -> Iterator[Workspace]:
    """A workspace with the task `move` and three contributors, on SQLite or the database that a test asks for."""
    if getattr(request, "param", "sqlite") == "sqlite":
        shutil.copytree(empty_workspace, tmp_path / "place")
        made = open_workspace(tmp_path / "place")
    else:
        server = request.getfixturevalue("postgres_url")
        name = f"test_{new_recording_id().replace('-', '_')}"
        engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        url = engine.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        made = create_workspace(tmp_path / "place", catalog=url)
        enrol(made, TASK)
    yield made
    made.catalog.close()
