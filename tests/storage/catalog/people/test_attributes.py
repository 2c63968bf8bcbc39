"""What contributors declare: from closed lists, replaced, forgotten and erased, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from kinesphere.errors import InvalidInput, NotFound
from storage.catalog import Attributes, Erasures
from storage.catalog.people.attributes import ATTRIBUTES
from storage.erasure.erasure import erase
from storage.erasure.erasure_check import find_traces
from storage.workspace import Workspace, create_workspace
from tests.support.populated_workspaces import add_recording, populate


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("attributes")
    url = "sqlite:///catalog.sqlite"
    if request.param == "postgresql":  # a database of its own, as other tests count what is in theirs
        server = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+psycopg")
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE attributes"))
        engine.dispose()
        url = server.set(drivername="postgresql", database="attributes").render_as_string(hide_password=False)
    made = create_workspace(folder / "workspace", catalog=url)
    populate(made, {"anna": 1, "ben": 1})
    yield made
    made.catalog.close()


def test_they_are_kept_replaced_and_forgotten(place: Workspace) -> None:
    attributes = Attributes(place.catalog)
    attributes.describe("anna", {"handedness": "left", "region": "EU"})
    attributes.describe("anna", {"handedness": "both", "age-band": "30-39"})
    assert attributes.all() == {"anna": {"handedness": "both", "region": "EU", "age-band": "30-39"}}
    attributes.forget("anna", ["region"])
    assert attributes.all() == {"anna": {"handedness": "both", "age-band": "30-39"}}
    attributes.forget("anna")
    attributes.forget("anna")
    assert attributes.all() == {}


def test_only_what_is_in_the_lists_can_be_kept(place: Workspace) -> None:
    attributes = Attributes(place.catalog)
    for values, why in (
        ({"handedness": "lefty"}, "'lefty' is no value of handedness; choose from: left, right, both"),
        ({"religion": "none"}, "no attribute; "),
        ({"region": "DE"}, "choose from: AF, AS"),
        ({"region": "EU", "environment": "my flat in Bremen"}, "no value of environment"),
    ):
        with pytest.raises(InvalidInput, match=why):
            attributes.describe("anna", values)
    with pytest.raises(InvalidInput, match="no attribute"):
        attributes.forget("anna", ["name"])
    with pytest.raises(NotFound, match="no contributor named 'x'"):
        attributes.describe("x", {"region": "EU"})
    with pytest.raises(NotFound, match="no contributor named 'x'"):
        attributes.forget("x")
    assert attributes.all() == {}
    assert all(len(values) <= 9 for values in ATTRIBUTES.values())


def test_scopes_and_their_end_are_in_the_catalog(place: Workspace) -> None:
    place.catalog.add_contributor("carla")
    end = datetime.now(UTC) + timedelta(days=30)
    made = add_recording(place, "carla", seed=50, scopes=("train", "share_video"), expires_at=end)
    row = place.catalog.recording(made.recording)
    assert (row.scopes, row.consent_expires_at) == (("train", "share_video"), end)
    anna = place.catalog.recordings(contributor="anna")[0]
    assert (anna.scopes, anna.consent_expires_at) == (("train", "share_keypoints"), None)


def test_an_erasure_takes_what_was_declared(place: Workspace) -> None:
    attributes = Attributes(place.catalog)
    attributes.describe("anna", {"handedness": "left"})
    attributes.describe("ben", {"handedness": "right"})
    assert "contributor_attribute.contributor (1)" in Erasures(place.catalog).mentions("anna")
    erase(place, "anna", who="eve")
    assert find_traces(place, "anna") == []
    assert attributes.all() == {"ben": {"handedness": "right"}}


def test_a_workspace_opens_again_with_all_of_it(tmp_path: Path) -> None:
    made = create_workspace(tmp_path / "workspace")
    populate(made, {"anna": 1})
    Attributes(made.catalog).describe("anna", {"environment": "kitchen"})
    made.catalog.close()
    from storage.workspace import open_workspace

    again = open_workspace(tmp_path / "workspace")
    assert Attributes(again.catalog).all() == {"anna": {"environment": "kitchen"}}
    again.catalog.close()
