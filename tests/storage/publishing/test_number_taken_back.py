"""A number that is published and taken back by somebody else while we claim it is left to them."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from kinesphere.dataset import open_dataset
from kinesphere.objects.store import Objects
from kinesphere.versions.manifests import read_manifest, version_key, version_keys
from storage.erasure.withdrawn_versions import withdraw_version
from storage.publishing.publish import publish
from storage.workspace import Workspace, open_workspace
from tests.support.populated_workspaces import add_recording, populate


def test_the_next_number_is_taken_and_nothing_of_ours_is_left(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(workspace, {"anna": 1}, frames=8)
    claim = Objects.put_if_absent
    table = version_key("kitchen", 1, "parquet")

    def other_publishes_first(
        self: Objects, key: str, data: bytes, *, after: Collection[str] = (), is_last: bool = True
    ) -> bool:
        if key == table and self is workspace.objects:
            add_recording(workspace, "anna", seed=3, frames=8)
            other = open_workspace(workspace.folder)
            withdraw_version(other.objects, publish(other, "kitchen"), replaced_by=None)
            other.catalog.close()
        return claim(self, key, data, after=after, is_last=is_last)

    monkeypatch.setattr(Objects, "put_if_absent", other_publishes_first)
    version = publish(workspace, "kitchen")
    assert version.number == 2
    assert read_manifest(workspace.objects, "kitchen", 1).is_withdrawn
    assert version_keys(workspace.objects, "kitchen", 1) == [version_key("kitchen", 1, "json")]
    assert open_dataset(workspace.dataset_location("kitchen")).version == 2
