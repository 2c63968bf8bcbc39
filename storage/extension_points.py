"""Extension points: kinds of a thing that are built in, and those that installed packages add by an entry point.

A name that is built in stays what it is: a package that takes it is refused, and so are two packages with one name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from kinesphere.errors import Conflict, InvalidInput, NotFound

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class ExtensionPoint(Generic[Kind]):
    """The kinds of one thing, such as camera sources or exporters."""

    thing: str
    """What they are kinds of, for messages: "export format"."""
    group: str
    """Group of the entry points by which installed packages add kinds: "kinesphere.exporters"."""
    built_in: Mapping[str, Kind]
    """By name."""

    def names(self) -> list[str]:
        """The names of all kinds; no package's code is run for it.

        Returns:
            Those built in and those installed, in alphabetical order.
        """
        return sorted({*self.built_in, *entry_points(group=self.group).names})

    def installed(self, name: str) -> list[EntryPoint]:
        """The entry points of a name.

        Args:
            name: of the kind.

        Returns:
            More than one where packages clash.
        """
        return list(entry_points(group=self.group, name=name))

    def entry_point(self, name: str) -> EntryPoint | None:
        """Where an installed kind comes from.

        Args:
            name: of the kind.

        Returns:
            None if it is built in.

        Raises:
            NotFound: there is no such kind; the message lists those there are.
            Conflict: two packages add it, or one has taken the name of one that is built in.
        """
        points = self.installed(name)
        if name in self.built_in and points:
            raise Conflict(
                f"{self.thing} {described(points[0])} has the name of a built-in one; uninstall that package"
            )
        if name in self.built_in:
            return None
        if not points:
            raise NotFound(self.thing, name, self.names(), f"packages add some by entry points of '{self.group}'")
        if len(points) > 1:
            raise Conflict(
                f"there are two: {self.thing} {described(points[0])}, and {described(points[1])}; uninstall one"
            )
        return points[0]

    def load(self, name: str) -> Kind:
        """The kind itself.

        Args:
            name: of the kind.

        Returns:
            The built-in one, or what a package's entry point names.

        Raises:
            NotFound, Conflict: as `entry_point` does.
            InvalidInput: the package that adds it cannot be loaded, or what it names cannot be called.
        """
        point = self.entry_point(name)
        if point is None:
            return self.built_in[name]
        try:
            kind = point.load()
        except Exception as error:
            raise InvalidInput(
                f"{self.thing} {described(point)} cannot be loaded: "
                f"{type(error).__name__}: {' '.join(str(error).split())}"
            ) from error
        if not callable(kind):
            raise InvalidInput(f"{self.thing} {described(point)} is {type(kind).__name__}, which makes none")
        return cast(Kind, kind)


def described(point: EntryPoint) -> str:
    """An entry point with the package that has it, e.g. `csv of acme-exports 1.2`.

    Args:
        point: the entry point.

    Returns:
        Words for messages.
    """
    return f"{point.name} of {package_of(point)}"


def package_of(point: EntryPoint) -> str:
    """The package that has an entry point, e.g. `acme-exports 1.2`.

    Args:
        point: the entry point.

    Returns:
        Words for messages.
    """
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"
