"""Small scenes that are rendered for tests: a few frames, a small picture, gloves of a colour that nothing else has."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

import pytest

from benchmarks.rendered_people.casting import draw_scene
from benchmarks.rendered_people.rendering_packages import INSTALL
from benchmarks.rendered_people.scene import Scene

GLOVES = (0.05, 0.95, 0.05)

_IS_MISSING = pytest.mark.skipif(
    importlib.util.find_spec("anny") is None and "CI" not in os.environ,
    reason=f"rendering people needs more packages; install them with: {INSTALL}",
)
Test = TypeVar("Test", bound=Callable[..., None])


def renders(test: Test) -> Test:
    """Mark a test that renders: it is skipped where that cannot be done, but not in CI.

    Args:
        test: the test.

    Returns:
        It, marked.
    """
    return cast(Test, pytest.mark.rendering(_IS_MISSING(test)))


def small_scene(seed: int, *, frames: int = 4, width: int = 320, cameras: int = 1) -> Scene:
    """The scene of a seed, shorter and smaller, sharp and without noise, with green gloves and nothing in the way.

    Args:
        seed: of the scene.
        frames: how many.
        width: of the picture in pixels.
        cameras: how many; each a step to the left of the one before.

    Returns:
        The scene.
    """
    scene = draw_scene(seed)
    main = scene.actors[0]
    views = [
        replace(camera, position=(camera.position[0] + 0.3 * step, *camera.position[1:]))
        for step in range(cameras)
        for camera in scene.cameras
    ]
    return replace(
        scene,
        actors=(replace(main, clothes=replace(main.clothes, gloves=GLOVES, top=(0.6, 0.5, 0.5))),),
        cameras=tuple(views),
        quality=replace(scene.quality, shutter=0.01, noise=0.5, softness=0.3, crf=19),
        room=replace(scene.room, occluder=False),
        frames=frames,
        rate=5.0,
        width=width,
        height=width * 9 // 16,
    )
