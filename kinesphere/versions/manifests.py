"""Versions of a dataset: immutable, numbered lists of episodes, each a JSON manifest and a Parquet table."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from kinesphere.errors import CorruptObject, NewerFormat, NotFound, Withdrawn
from kinesphere.objects.store import Objects
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.table_parts import parts_of, read_table

FORMAT_VERSION = 1
PARTS_FORMAT_VERSION = 2
"""Of a version whose episode table lies in several parts, so that an earlier release refuses it by name."""
KIND = "kinesphere-version"
WITHDRAWN_KIND = "kinesphere-version-withdrawn"
"""Kind of what lies in place of a withdrawn version's manifest; see `storage.erasure.withdrawn_versions`."""
RULES = ("needs", "limits", "splits")
"""What a publisher asks of a version, as manifests name it."""

_MANIFEST = re.compile(r"(\d{6,})\.json")


@dataclass(frozen=True)
class Version:
    """One version of a dataset."""

    dataset: str
    number: int
    manifest: Mapping[str, Any]
    """The content of the JSON: parent, created_at, created_by, software, where, criteria, counts, labels,
    episodes and so on; see `docs/format.md`."""
    is_new: bool = False
    """Whether this call wrote it: the same episodes again are the version that is there already."""

    @property
    def is_withdrawn(self) -> bool:
        """Whether nothing of it is left but a tombstone."""
        return bool(self.manifest["kind"] == WITHDRAWN_KIND)


def read_version(objects: Objects, dataset: str, number: int | None = None) -> Version:
    """Read the manifest of a version, by default of the newest.

    Args:
        objects: where the datasets lie.
        dataset: name of the dataset.
        number: of the version. None is the newest.

    Returns:
        The version.

    Raises:
        NotFound: there is no such dataset or version.
        Withdrawn: people in it took their recordings back; the error names the version that replaces it.
        NewerFormat: a later release wrote it.
        CorruptObject: it is not a manifest, or was edited by hand.
    """
    numbers = list_versions(objects, dataset)
    if number is None:
        number = numbers[-1]
    if number not in numbers:
        raise NotFound(f"version of {dataset}", str(number), [str(known) for known in numbers])
    found = read_manifest(objects, dataset, number)
    refuse_withdrawn(objects, found)
    return found


def refuse_withdrawn(objects: Objects, version: Version) -> None:
    """Make sure that a version was not withdrawn.

    Args:
        objects: where the datasets lie.
        version: as its manifest was read.

    Raises:
        Withdrawn: it was; the error names the version that replaces it.
    """
    successor = version
    while successor.is_withdrawn and successor.manifest["replaced_by"] is not None:
        successor = read_manifest(objects, version.dataset, int(successor.manifest["replaced_by"]))
    if version.is_withdrawn:
        advice = f"use version {successor.number}, without them"
        if successor.is_withdrawn:
            advice = "nothing of it is left; publish again"
        name = f"{version.dataset}@{version.number}"
        raise Withdrawn(f"{name} was withdrawn, because people in it took their recordings back; {advice}")


def read_manifest(objects: Objects, dataset: str, number: int) -> Version:
    """Read the manifest of a version that is there, or the tombstone that lies in its place.

    Args:
        objects: where the datasets lie.
        dataset: name of the dataset.
        number: of the version.

    Returns:
        The version; `is_withdrawn` tells whether it is a tombstone.

    Raises:
        NewerFormat: a later release wrote it.
        CorruptObject: it is missing, is neither, or was edited by hand.
    """
    key = version_key(dataset, number, "json")
    content = objects.get(key)
    try:
        manifest: dict[str, Any] = json.loads(content)
        version = int(manifest["format_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptObject(f"object '{key}' is not the manifest of a version; restore it from a copy") from error
    if version > PARTS_FORMAT_VERSION:
        raise NewerFormat(f"{dataset}@{number}", version, PARTS_FORMAT_VERSION)
    if manifest.get("kind") not in (KIND, WITHDRAWN_KIND) or manifest.get("sha256") != hash_of(manifest):
        raise CorruptObject(f"object '{key}' was changed after it was published; restore it from a copy")
    return Version(dataset, number, manifest)


def read_episodes(objects: Objects, version: Version) -> pa.Table:
    """Read the episode table of a version.

    Args:
        objects: where the datasets lie.
        version: whose episodes.

    Returns:
        One row an episode, by `EPISODE_SCHEMA`.

    Raises:
        CorruptObject: the table or a part of it is missing, or is not the one that was published.
    """
    return read_table(objects, parts_of(version.manifest), EPISODE_SCHEMA.names)


def version_keys(objects: Objects, dataset: str, number: int) -> list[str]:
    """The keys of all objects of a version: its table or the parts of it, what lies beside, and last its manifest.

    So too of one whose publisher died, which has no manifest.

    Args:
        objects: where the datasets lie.
        dataset: name of the dataset.
        number: of the version.

    Returns:
        Keys, the manifest's last.
    """
    manifest = version_key(dataset, number, "json")
    stem = manifest.removesuffix("json")
    keys = [key for key in objects.keys(f"datasets/{dataset}/versions") if key.startswith(stem)]
    return sorted(keys, key=lambda key: (key == manifest, key))


def list_versions(objects: Objects, dataset: str) -> list[int]:
    """The numbers of a dataset's versions, ascending.

    Args:
        objects: where the datasets lie.
        dataset: name of the dataset.

    Returns:
        At least one number.

    Raises:
        NotFound: there is no such dataset, which is to say none with a version.
    """
    numbers = numbers_of(objects, dataset)
    if not numbers:
        raise NotFound("dataset", dataset, list_datasets(objects))
    return numbers


def list_datasets(objects: Objects) -> list[str]:
    """The names of all datasets that have a version, sorted.

    Args:
        objects: where the datasets lie.

    Returns:
        Names.
    """
    return [name for name in objects.folders("datasets") if numbers_of(objects, name)]


def numbers_of(objects: Objects, dataset: str) -> list[int]:
    """The numbers of a dataset's versions, ascending; none where there is no such dataset.

    Args:
        objects: where the datasets lie.
        dataset: name of the dataset.

    Returns:
        Numbers; those of withdrawn versions are among them.
    """
    names = (key.rsplit("/", 1)[-1] for key in objects.keys(f"datasets/{dataset}/versions"))
    return sorted({int(match[1]) for name in names if (match := _MANIFEST.fullmatch(name))})


def version_key(dataset: str, number: int, ending: str) -> str:
    """Key of an object of a version.

    Args:
        dataset: name of the dataset.
        number: of the version.
        ending: "json" for the manifest, "parquet" for the episode table or the first part of it.

    Returns:
        The key in the object store.
    """
    return f"datasets/{dataset}/versions/{number:06d}.{ending}"


def hash_of(manifest: Mapping[str, Any]) -> str:
    """Hash of a manifest without its own `sha256`, so that an edit by hand shows.

    Args:
        manifest: with or without it.

    Returns:
        64 hexadecimal digits.
    """
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
