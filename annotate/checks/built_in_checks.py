"""The built-in checks, found by listing the files of `annotate.checks.built_in`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from annotate.checks import built_in
from annotate.checks.findings import Check


def _found() -> Iterator[Check]:
    for module in sorted(iter_modules(built_in.__path__), key=lambda module: module.name):
        yield from import_module(f"{built_in.__name__}.{module.name}").CHECKS


def _by_name() -> dict[str, Check]:
    found: dict[str, Check] = {}
    for check in sorted(_found(), key=lambda check: check.needs):
        if check.name in found or check.name == "plugins":
            raise ValueError(f"two checks cannot both be named '{check.name}'")
        check.default  # noqa: B018  (raises where there is none)
        found[check.name] = check
    return found


BUILT_IN = _by_name()
"""Every check that kinesphere brings, by name, in the order in which they are judged, listed and stored: by what they
need, then by the names of their files, then as these have them. The hash of a task depends on the order."""
