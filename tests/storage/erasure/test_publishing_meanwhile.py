"""Who publishes beside an erasure ends without those who leave, and never points at what is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kinesphere.dataset import open_dataset
from kinesphere.errors import Conflict, CorruptObject
from kinesphere.shards.shard import shard_key
from kinesphere.versions.manifests import list_versions, read_manifest
from storage.catalog import Catalog
from storage.erasure.erasure import delete_shard, erase
from storage.erasure.erasure_check import find_traces
from storage.publishing.publish import publish
from storage.workspace import Workspace, create_workspace, open_workspace
from tests.support.populated_workspaces import add_recording, populate


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    catalog = "sqlite:///catalog.sqlite" if request.param == "sqlite" else request.getfixturevalue("own_postgres_url")
    made = create_workspace(tmp_path / "kitchen", catalog=catalog)
    populate(made, {"anna": 2, "ben": 2}, frames=8)
    yield made
    made.catalog.close()


@pytest.mark.parametrize("question", ["publishable", "consents"])
def test_who_leaves_between_two_looks_at_the_catalog_is_left_out(
    place: Workspace, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    look = getattr(Catalog, question)

    def leave_after(self: Catalog, *given: object, **named: object) -> object:
        found = look(self, *given, **named)
        if "anna" in self.contributors():
            erase(place, "anna", who="eve")
        return found

    monkeypatch.setattr(Catalog, question, leave_after)
    version = publish(place, "kitchen")
    assert version.manifest["counts"]["recordings"] == 2
    assert set(open_dataset(place.dataset_location("kitchen")).episodes["contributor"].to_pylist()) == {"ben"}
    assert find_traces(place, "anna") == []


def test_published_over_and_over_while_many_leave_it_ends_with_those_who_stay(place: Workspace) -> None:
    leaving = [f"leaving{number}" for number in range(3)]
    populate(place, dict.fromkeys(leaving, 1), frames=8)
    gone = threading.Event()

    def publishing() -> None:
        own = open_workspace(place.folder)
        while not gone.is_set():
            publish(own, "kitchen", created_by="eve")
        own.catalog.close()

    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(publishing) for _ in range(2)]
        try:
            for seed, name in enumerate(leaving, 100):
                add_recording(place, "ben", seed=seed, frames=8)
                erase(place, name, who="eve")
        finally:
            gone.set()
        for one in done:
            one.result()
    assert [trace for name in leaving for trace in find_traces(place, name)] == []
    last = publish(place, "kitchen")
    assert last.manifest["counts"]["recordings"] == 7
    for number in list_versions(place.objects, "kitchen"):
        found = read_manifest(place.objects, "kitchen", number)
        if not found.is_withdrawn:
            assert set(open_dataset(place.dataset_location("kitchen"), number).episodes["contributor"].to_pylist()) <= {
                "anna",
                "ben",
            }


def test_a_recording_whose_shard_is_gone_is_not_published(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(workspace, {"anna": 1, "ben": 1})
    (annas,) = workspace.catalog.recordings(contributor="anna")
    trajectory = workspace.catalog.trajectory(annas.recording)
    assert trajectory is not None
    delete_shard(workspace.objects, trajectory.shard)
    for limit in (2000, 0):
        monkeypatch.setattr("storage.publishing.publish._ASKED_ONE_BY_ONE", limit)
        with pytest.raises(CorruptObject, match=rf"{annas.recording} is missing.*process --again {annas.recording}"):
            publish(workspace, "kitchen")
    assert workspace.objects.keys("datasets") == []
    assert not workspace.objects.exists(f"{shard_key(trajectory.shard)}/zarr.json")


def test_when_everybody_has_left_there_is_nothing_to_publish(workspace: Workspace) -> None:
    populate(workspace, {"anna": 1})
    with pytest.raises(Conflict, match="no accepted recording"):
        publish(workspace, "kitchen", before_writing=lambda recordings: (erase(workspace, "anna", who="eve"), None)[1])
    assert find_traces(workspace, "anna") == []
