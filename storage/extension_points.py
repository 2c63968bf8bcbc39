"""What installed packages add by entry points: found by name, beside what is built in, without running their code.

A name that is built in stays what it is: a package that takes it is refused, and so are two packages with one name.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points

from kinesphere.errors import Conflict, NotFound


def extension_named(group: str, name: str, built_in: Collection[str], kind: str) -> EntryPoint | None:
    """The entry point of a name.

    Args:
        group: of entry points, e.g. `kinesphere.exporters`.
        name: of the entry point.
        built_in: the names that are built in.
        kind: what it is called in an error, e.g. "export format".

    Returns:
        None if the name is built in.

    Raises:
        NotFound: there is none; the text names those that there are.
        Conflict: two packages have this name, or a package has taken a built-in name.
    """
    points = installed(group, name)
    if name in built_in and points:
        raise Conflict(f"{kind} {described(points[0])} has the name of a built-in one; uninstall that package")
    if name in built_in:
        return None
    if not points:
        raise NotFound(kind, name, extension_names(group, built_in))
    if len(points) > 1:
        raise Conflict(f"there are two: {kind} {described(points[0])}, and {described(points[1])}; uninstall one")
    return points[0]


def installed(group: str, name: str) -> list[EntryPoint]:
    """The entry points of a group that have a name; more than one where packages clash.

    Args:
        group: of entry points.
        name: of the entry point.

    Returns:
        In the order of the path.
    """
    return list(entry_points(group=group, name=name))


def extension_names(group: str, built_in: Collection[str]) -> list[str]:
    """All names that there are.

    Args:
        group: of entry points.
        built_in: the names that are built in.

    Returns:
        Sorted, each once.
    """
    return sorted({*built_in, *entry_points(group=group).names})


def described(point: EntryPoint) -> str:
    """An entry point with the package that has it, e.g. `csv of acme-exports 1.2`.

    Args:
        point: the entry point.

    Returns:
        Words for messages.
    """
    package = point.dist
    return f"{point.name} of {package.name} {package.version}" if package else point.name
