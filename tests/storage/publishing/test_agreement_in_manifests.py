"""The agreement of annotators in the manifest of a version: plain numbers that the caller gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kinesphere.dataset import open_dataset
from kinesphere.errors import InvalidInput, NotFound
from kinesphere.versions.manifests import list_versions, read_version
from storage.erasure.erasure import erase
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.workspace import Workspace
from tests.support.populated_workspaces import populate

NUMBERS = {"tasks": [{"task": "pour", "tracks": (), "alpha": None}], "seed": 0}
AS_READ = {"tasks": [{"task": "pour", "tracks": [], "alpha": None}], "seed": 0}


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    populate(workspace, {"anna": 1, "ben": 2})
    return workspace


def test_it_is_computed_of_the_recordings_that_enter_and_read_as_it_was_given(kitchen: Workspace) -> None:
    asked: list[Sequence[str]] = []

    def numbers(recordings: Sequence[str]) -> dict[str, Any]:
        asked.append(recordings)
        return NUMBERS

    version = publish(kitchen, "kitchen", PublishSettings(where="contributor = 'ben'"), agreement=numbers)
    (recordings,) = asked
    theirs = {row.recording for row in kitchen.catalog.recordings(contributor="ben")}
    assert len(recordings) == 2 and set(recordings) == theirs
    assert version.manifest["agreement"] == AS_READ
    assert read_version(kitchen.objects, "kitchen").manifest["agreement"] == AS_READ
    assert open_dataset(kitchen.dataset_location("kitchen")).manifest["agreement"] == AS_READ


def test_a_version_without_it_does_not_name_it(kitchen: Workspace) -> None:
    assert "agreement" not in publish(kitchen, "kitchen").manifest
    assert "agreement" not in publish(kitchen, "other", agreement=lambda recordings: None).manifest


def test_the_same_episodes_with_another_agreement_are_another_version(kitchen: Workspace) -> None:
    assert publish(kitchen, "kitchen").number == 1
    assert publish(kitchen, "kitchen", agreement=lambda recordings: NUMBERS).number == 2
    assert not publish(kitchen, "kitchen", agreement=lambda recordings: NUMBERS).is_new
    assert publish(kitchen, "kitchen", agreement=lambda recordings: {**NUMBERS, "seed": 1}).number == 3
    assert not publish(kitchen, "kitchen").is_new, "who says nothing of it takes what is there"


@pytest.mark.parametrize("content", [{"alpha": float("nan")}, {"alpha": object()}, {"names": {"anna"}}])
def test_what_is_no_json_is_refused_and_nothing_is_published(kitchen: Workspace, content: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="the agreement for a manifest is no plain JSON"):
        publish(kitchen, "kitchen", agreement=lambda recordings: content)
    with pytest.raises(NotFound):
        list_versions(kitchen.objects, "kitchen")
    assert list(kitchen.objects.keys("datasets")) == []


def test_after_an_erasure_it_is_not_claimed_of_those_who_stay(kitchen: Workspace) -> None:
    publish(kitchen, "kitchen", agreement=lambda recordings: NUMBERS)
    publish(kitchen, "kitchen", PublishSettings(where="contributor = 'ben'"), agreement=lambda recordings: NUMBERS)
    erase(kitchen, "anna", who="eve")
    heir, newest = (read_version(kitchen.objects, "kitchen", number).manifest for number in (3, 4))
    assert heir["erasure"]["replaces"] == 1 and "agreement" not in heir
    assert newest["erasure"]["repeats"] == 2 and newest["agreement"] == AS_READ
