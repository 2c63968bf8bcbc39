"""A workspace with two published datasets of three people, to be erased from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sqlalchemy import select

from kinesphere.dataset import Dataset, open_dataset
from storage.catalog import Catalog, Erasures, Exports
from storage.catalog.tables import Table
from storage.erasure.erasure import erase
from storage.publishing.publish import publish
from storage.publishing.publish_rules import PublishSettings
from storage.workspace import Workspace
from tests.support.populated_workspaces import populate

PEOPLE = {"anna": 2, "ben": 1, "carla": 1}


def make_kitchen(workspace: Workspace) -> Workspace:
    populate(workspace, PEOPLE)
    workspace.catalog.add_contributor("eve")
    publish(workspace, "kitchen", PublishSettings(where="contributor != 'carla'"), created_by="eve")
    publish(workspace, "kitchen", created_by="eve")
    publish(workspace, "garden", PublishSettings(where="contributor = 'anna'"), created_by="eve")
    return workspace


def opened(workspace: Workspace, name: str, version: int | None = None) -> Dataset:
    return open_dataset(workspace.dataset_location(name), version)


def contributors_of(dataset: Dataset) -> set[str]:
    return set(dataset.episodes["contributor"].to_pylist())


def rows_of(dataset: Dataset, contributor: str) -> list[dict[str, Any]]:
    return [row for row in dataset.episodes.to_pylist() if row["contributor"] == contributor]


def erased(workspace: Workspace, contributor: str | None = "anna") -> dict[str, Any]:
    done = erase(workspace, contributor, who="eve")
    assert done is not None and done.tombstone is not None
    return dict(done.tombstone)


def state_of(workspace: Workspace) -> dict[str, str]:
    """Everything that is there, but for receipts, moments and the hashes that follow from them."""
    receipts = {record.receipt: f"<receipt {n}>" for n, record in enumerate(Erasures(workspace.catalog).done())}
    receipts |= {record.export: f"<export {n}>" for n, record in enumerate(Exports(workspace.catalog).all())}

    def plain(content: str) -> str:
        for receipt, name in receipts.items():
            content = content.replace(receipt, name)
        content = re.sub(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d+:]*", "<moment>", content)
        return re.sub(r'"(sha256|contributor_sha256)": "[0-9a-f]{64}"', r'"\1": "<hash>"', content)

    objects = workspace.objects
    keys = [key for key in objects.keys("") if not key.startswith(("catalog.sqlite", "workspace.toml"))]
    folders = [str(path.relative_to(objects.url)) for path in Path(objects.url).rglob("*") if path.is_dir()]
    texts = {plain(key): plain(objects.get(key).decode()) if key.endswith(".json") else "" for key in keys}
    rows = plain(dump(workspace.catalog)).splitlines()
    return texts | {"folders": "\n".join(sorted(folders)), "catalog": "\n".join(sorted(rows))}


def dump(catalog: Catalog) -> str:
    """All rows of all tables, but for numbers that count up."""
    lines = []
    with catalog.reading() as session:
        for table in Table.metadata.sorted_tables:
            rows = session.execute(select(table)).mappings()
            plain = [{key: row[key] for key in row if key != "event"} for row in rows]
            lines += sorted(f"{table.name} {json.dumps(row, default=str)}" for row in plain)
    return "\n".join(lines)
