"""Clips of scenes, made once and kept: each in a folder of the cache, named by all that decides it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.rendered_people.scene import Scene
from benchmarks.rendered_people.truth import Truth, load_truth
from pose.networks.models import cache_folder

REVISION = 1
"""Raised with every change of this wing that changes a clip."""


@dataclass(frozen=True)
class Clip:
    """What one camera of a scene saw."""

    scene: Scene
    camera: int
    folder: Path

    @property
    def video(self) -> Path:
        """H.264, with the frames' own times."""
        return self.folder / f"camera{self.camera}" / "video.mp4"

    @cached_property
    def truth(self) -> Truth:
        """Of the first actor, who is the contributor."""
        return load_truth(self.video.with_name("truth.npz"))

    def bystander(self, number: int) -> Truth:
        """What is known of another actor, from 1."""
        return load_truth(self.video.with_name(f"truth-{number}.npz"))


def clips_folder(scene: Scene) -> Path:
    """Where a scene's clips are kept, once they are made.

    Args:
        scene: what is filmed.

    Returns:
        A folder in the cache, named by all that decides the clips.
    """
    described: dict[str, Any] = asdict(scene) | {"revision": REVISION}
    key = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / "rendered-people" / key


def clips_of(scene: Scene, on_make: Callable[[], None] | None = None) -> list[Clip]:
    """The clips of a scene, one a camera: from the cache, or made now.

    Args:
        scene: what is filmed.
        on_make: called before they are made, which takes a minute.

    Returns:
        One clip a camera.

    Raises:
        MissingDependency: a clip has to be made and what makes it is not installed.
    """
    folder = clips_folder(scene)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                if on_make is not None:
                    on_make()
                _make(scene, folder)
    return [Clip(scene, camera, folder) for camera in range(len(scene.cameras))]


def _make(scene: Scene, folder: Path) -> None:
    from benchmarks.rendered_people.filming import film

    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    try:
        film(scene, partial)
        (partial / "scene.json").write_text(json.dumps(asdict(scene) | {"revision": REVISION}, indent=1))
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
