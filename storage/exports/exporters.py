"""What every export format can do, the formats that there are, and those that installed packages add.

A format of ours is a file beside this and a line in `EXPORTERS`. A package adds one by an entry point in the group
`kinesphere.exporters`: its name is the format's, and it is a class without arguments that does what `Exporter` says.
It runs in our process. Whatever it does, a copy is entered in the catalog before it writes and stays there until an
erasure, or the person who deleted it, strikes it off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint
from typing import Protocol, TypeVar, cast

import pyarrow as pa

from kinesphere.errors import InvalidInput, KinesphereError, NotFound
from kinesphere.objects.store import Objects
from storage.exports.export_content import Content, OnProgress
from storage.exports.export_target import NOTE, clear
from storage.exports.kinesphere_copy import KinesphereExporter
from storage.exports.lerobot import LeRobotExporter
from storage.exports.parquet_tables import ParquetExporter
from storage.extension_points import ExtensionPoint, described

NAME_LENGTH = 32
"""Of a format's name: what the catalog keeps."""

Result = TypeVar("Result")


class Exporter(Protocol):
    """One way to write a version elsewhere. All keys are below the target, which is the export's own."""

    def check(self, content: Content) -> None:
        """Raise `InvalidInput` if this cannot be written so, before anything is."""

    def write(self, content: Content, target: Objects, on_progress: OnProgress) -> None:
        """Write a version, last what makes readers find it. Cut off and repeated, it ends the same."""

    def erase(self, target: Objects, content: Content | None, *, version: int, dataset: str, receipt: str) -> bool:
        """Take a version away. Repeated it ends the same.

        Args:
            target: where the export is.
            content: the version without those who left, if anything of it is left.
            version: number of the version that goes.
            dataset: name of its dataset.
            receipt: of the erasure.

        Returns:
            Whether `content` is there now: a format that would have to write everything anew leaves it to people.
            Where a package's exporter says that it is not, all that is still there is deleted.
        """

    def contributors(self, target: Objects) -> pa.Table:
        """Whose episodes can be read there: the columns `recording` and `contributor`, strings."""


EXPORTERS: Mapping[str, Exporter] = {
    "kinesphere": KinesphereExporter(),
    "lerobot": LeRobotExporter(),
    "parquet": ParquetExporter(),
}
"""Those that are built in, by the name of their format."""
EXPORT_FORMATS = ExtensionPoint("export format", "kinesphere.exporters", EXPORTERS)


class ExporterFailed(KinesphereError):
    """An installed exporter cannot be loaded, or raised an error of its own; the text names its package."""


@dataclass(frozen=True)
class InstalledExporter:
    """An exporter of an installed package, loaded when it is first used. Its own errors become `ExporterFailed`."""

    point: EntryPoint

    def check(self, content: Content) -> None:
        self._do(lambda: self._exporter.check(content))

    def write(self, content: Content, target: Objects, on_progress: OnProgress) -> None:
        self._do(lambda: self._exporter.write(content, target, on_progress))

    def erase(self, target: Objects, content: Content | None, *, version: int, dataset: str, receipt: str) -> bool:
        is_there = self._do(
            lambda: self._exporter.erase(target, content, version=version, dataset=dataset, receipt=receipt)
        )
        if not is_there:
            clear(target)
        return bool(is_there)

    def contributors(self, target: Objects) -> pa.Table:
        return self._do(lambda: self._exporter.contributors(target))

    def __str__(self) -> str:
        return described(self.point)

    @cached_property
    def _exporter(self) -> Exporter:
        return cast("Exporter", self.point.load()())

    def _do(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except KinesphereError:
            raise
        except Exception as error:
            raise ExporterFailed(f"exporter {self} failed: {type(error).__name__}: {error}") from error


class _Uninstalled:
    """In place of an exporter whose package is gone: what it has written can be deleted all the same."""

    def __init__(self, name: str) -> None:
        self._name = name

    def check(self, content: Content) -> None:
        raise NotFound(EXPORT_FORMATS.thing, self._name, EXPORT_FORMATS.names())

    def write(self, content: Content, target: Objects, on_progress: OnProgress) -> None:
        raise NotFound(EXPORT_FORMATS.thing, self._name, EXPORT_FORMATS.names())

    def erase(self, target: Objects, content: Content | None, *, version: int, dataset: str, receipt: str) -> bool:
        clear(target)
        return False

    def contributors(self, target: Objects) -> pa.Table:
        if target.folders("") or target.keys("") != [NOTE]:
            raise NotFound(EXPORT_FORMATS.thing, self._name, EXPORT_FORMATS.names())
        return pa.table({"recording": pa.array([], pa.string()), "contributor": pa.array([], pa.string())})


def exporter_named(name: str) -> Exporter:
    """The exporter of a format that can be written.

    Args:
        name: of the format.

    Returns:
        One that is built in, or one of an installed package.

    Raises:
        NotFound: there is none; the text names those that there are.
        Conflict: two packages have one of this name, or one has taken the name of a format that is built in.
        InvalidInput: the name is too long for the catalog.
    """
    point = EXPORT_FORMATS.entry_point(name)
    if point is None:
        return EXPORTERS[name]
    if len(name) > NAME_LENGTH:
        raise InvalidInput(f"export format {described(point)} has a name of more than {NAME_LENGTH} characters")
    return InstalledExporter(point)


def exporter_for_erasure(name: str) -> Exporter:
    """The exporter that has written a copy; where it cannot be told, as its package is gone, one that deletes all.

    Args:
        name: of the format that the copy was written in.

    Returns:
        One that can take the copy away.
    """
    if name in EXPORTERS:
        return EXPORTERS[name]
    points = EXPORT_FORMATS.installed(name)
    return InstalledExporter(points[0]) if len(points) == 1 else _Uninstalled(name)
