"""Kinds of a thing that are built in, and those that installed packages add by an entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, cast

from kinesphere.errors import InvalidInput, NotFound

Factory = TypeVar("Factory", bound=Callable[..., Any])


@dataclass(frozen=True)
class Extensions(Generic[Factory]):
    """The kinds of one thing, such as sources or engines, each with the function or class that makes one."""

    thing: str
    """What they are kinds of, for messages: "source"."""
    group: str
    """Group of the entry points by which installed packages add kinds: "kinesphere.sources"."""
    built_in: Mapping[str, Factory]
    """By name. No package can replace one."""

    def names(self) -> list[str]:
        """The names of all kinds, without loading any package's code.

        Returns:
            Those built in and those installed, in alphabetical order.
        """
        return sorted({*self.built_in, *(point.name for point in entry_points(group=self.group))})

    def load(self, name: str) -> Factory:
        """What makes a thing of this kind.

        Args:
            name: of the kind, one of `names`.

        Returns:
            The built-in function or class, or the one that a package's entry point names.

        Raises:
            NotFound: there is no such kind; the message lists those there are.
            InvalidInput: two packages add it, or the package that adds it cannot be loaded.
        """
        if name in self.built_in:
            return self.built_in[name]
        points = tuple(entry_points(group=self.group, name=name))
        if not points:
            raise NotFound(self.thing, name, self.names(), f"packages add some by entry points of '{self.group}'")
        if len(points) > 1:
            packages = " and ".join(sorted(_package(point) for point in points))
            raise InvalidInput(f"{packages} both add the {self.thing} '{name}'; uninstall one of them")
        try:
            factory = points[0].load()
        except Exception as error:
            raise InvalidInput(
                f"the {self.thing} '{name}' of {_package(points[0])} cannot be loaded: "
                f"{type(error).__name__}: {' '.join(str(error).split())}"
            ) from error
        if not callable(factory):
            found = type(factory).__name__
            raise InvalidInput(f"the {self.thing} '{name}' of {_package(points[0])} is {found}, which makes none")
        return cast(Factory, factory)


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"
