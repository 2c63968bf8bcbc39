"""All that a workspace holds, to be compared with another one: rows of the catalog, bytes, batches of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import select

from kinesphere.dataset import open_dataset
from storage.backup.backup_content import PREFIXES
from storage.backup.catalog_dump import LEFT_OUT
from storage.catalog import Catalog
from storage.catalog.tables import Table
from storage.workspace import Workspace


def rows_of(catalog: Catalog) -> dict[str, list[tuple[Any, ...]]]:
    """All rows by table, but for those that no backup holds."""
    with catalog.reading() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in Table.metadata.sorted_tables
            if table.name not in LEFT_OUT
        }


def bytes_of(workspace: Workspace) -> dict[str, bytes]:
    """All objects by key, and the files of drafts."""
    objects = {key: workspace.objects.get(key) for prefix in PREFIXES for key in workspace.objects.keys(prefix)}
    drafts = [path for path in workspace.drafts.rglob("*") if path.is_file()] if workspace.drafts.is_dir() else []
    return objects | {str(path.relative_to(workspace.folder)): path.read_bytes() for path in drafts}


def batches_of(workspace: Workspace, dataset: str) -> list[dict[str, Any]]:
    """What training reads of the newest version, in the order of a seed."""
    opened = open_dataset(workspace.dataset_location(dataset), verify=True)
    return list(opened.stream(window=8, batch_size=4, keys=["body_world", "grip"], shuffle=True, seed=3))


def assert_same_batches(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """Hold two streams to the same batches, in the same order."""
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name])
