"""Engines by name, as `process --engine` takes them.

A new engine is one file: a class that is an `Engine`, a function or the class itself that is a `MakeEngine`, and an
entry point of the group `kinesphere.engines` that names it. In a package's `pyproject.toml`:

    [project.entry-points."kinesphere.engines"]
    slurm = "acme_engines:Slurm"
"""

from __future__ import annotations

from collections.abc import Mapping

from pose.engines.engine import Engine, MakeEngine
from pose.engines.ray_engine import open_cluster
from pose.engines.threads_engine import Threads
from storage.extension_points import ExtensionPoint

BUILT_IN: Mapping[str, MakeEngine] = {"local": Threads, "ray": open_cluster}
"""By the name that `--engine` takes."""
ENGINES = ExtensionPoint("engine", "kinesphere.engines", BUILT_IN)


def make_engine(name: str, workers: int | None = None) -> Engine:
    """Make an engine by its name.

    Args:
        name: `local`, `ray`, or that of an installed one.
        workers: recordings at a time; by default what the engine thinks best.

    Returns:
        The engine.

    Raises:
        NotFound: there is no such engine; the message lists those there are.
        InvalidInput: the package that adds it cannot be loaded.
    """
    return ENGINES.load(name)(workers)
