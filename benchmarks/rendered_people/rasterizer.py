"""Pictures by OpenGL, off the screen: triangles with colours and procedural patterns, a light with shadows, depths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.camera_views import NEAR, Lens
from benchmarks.rendered_people.mesh import Mesh
from benchmarks.rendered_people.rendering_packages import needs_rendering
from benchmarks.rendered_people.scene import Light
from benchmarks.rendered_people.shaders import DEPTH_FRAGMENT, DEPTH_VERTEX, FRAGMENT, GRAINS, VERTEX
from kinesphere.errors import MissingDependency

Array = NDArray[np.float64]
FAR = 30.0
"""Metres up to which things are drawn."""
SHADOW_SIZE = 1024
SHADOW_REACH = 2.6
"""Metres around the middle of the scene in which things throw shadows."""
MIDDLE = (0.0, -0.2, 0.9)
"""Of the scene, in the world."""

NOISE_SIZE = 32


class Rasterizer:
    """Draws meshes at one size of picture."""

    def __init__(self, width: int, height: int, samples: int = 4) -> None:
        with needs_rendering():
            import moderngl

        self.size = width, height
        try:
            self.context: Any = moderngl.create_context(standalone=True, backend="egl")
        except Exception as error:
            raise MissingDependency(
                f"there is no OpenGL that draws without a screen ({error}); "
                "on Debian or Ubuntu: apt-get install libegl1 libgl1-mesa-dri"
            ) from error
        self.context.enable(moderngl.DEPTH_TEST)
        self.program = self.context.program(vertex_shader=VERTEX, fragment_shader=FRAGMENT)
        self.depth_program = self.context.program(vertex_shader=DEPTH_VERTEX, fragment_shader=DEPTH_FRAGMENT)
        self.smooth, self.coarse = (
            self.context.framebuffer(
                [self.context.renderbuffer(self.size, 4, samples=count, dtype="f2")],
                self.context.depth_renderbuffer(self.size, samples=count),
            )
            for count in (samples, 0)
        )
        self.depth_texture = self.context.depth_texture(self.size)
        self.depth_texture.compare_func = ""
        self.depth_only = self.context.framebuffer(depth_attachment=self.depth_texture)
        noise = np.random.default_rng(1).integers(0, 256, (NOISE_SIZE,) * 3, np.uint8)
        self.noise = self.context.texture3d((NOISE_SIZE,) * 3, 1, noise.tobytes())
        self.program["grain"].write(np.array([grain for grain, _ in GRAINS], np.float32).tobytes())
        self.program["depth"].write(np.array([depth for _, depth in GRAINS], np.float32).tobytes())
        self.shadow_texture = self.context.depth_texture((SHADOW_SIZE, SHADOW_SIZE))
        self.shadow_only = self.context.framebuffer(depth_attachment=self.shadow_texture)

    def load(self, mesh: Mesh, light: Light, first_caster: int = 0) -> _Loaded:
        """Take in what is to be drawn, and throw the shadows of its faces from `first_caster` on."""
        vertices = self.context.buffer(np.ascontiguousarray(mesh.corners).tobytes())
        faces = self.context.buffer(np.ascontiguousarray(mesh.faces, np.int32).tobytes())
        layout = [(vertices, "3f 3f 3f 3f 1f", "place", "normal", "colour", "rest", "pattern")]
        plain = [(vertices, "3f 40x", "place")]
        loaded = _Loaded(
            (vertices, faces),
            self.context.vertex_array(self.program, layout, faces),
            self.context.vertex_array(self.depth_program, plain, faces),
            _shadow_view(light),
            light,
        )
        self.shadow_only.use()
        self.shadow_only.clear()
        self.depth_program["view"].write(_columns(loaded.shadow_view))
        loaded.depths.render(vertices=3 * (len(mesh.faces) - first_caster), first=3 * first_caster)
        return loaded

    def draw(self, loaded: _Loaded, lens: Lens, smooth: bool = True) -> NDArray[np.float32]:
        """(height, width, 3) linear light, with smooth edges where wanted."""
        drawn = self.smooth if smooth else self.coarse
        drawn.use()
        drawn.clear()
        light, program = loaded.light, self.program
        program["view"].write(_columns(self._view(lens)))
        program["shadow_view"].write(_columns(loaded.shadow_view))
        program["eye"].value = tuple(lens.position)
        direction = np.array(light.direction) / np.linalg.norm(light.direction)
        program["to_light"].value = tuple(direction)
        tint = np.array([1 + 0.12 * light.warmth, 1.0, 1 - 0.18 * light.warmth])
        program["key"].value = tuple(light.key * tint)
        program["sky"].value = tuple(light.ambient * tint)
        program["ground"].value = tuple(light.ambient * 0.55 * tint)
        self.shadow_texture.use(0)
        self.noise.use(1)
        program["shadow"].value, program["noise"].value = 0, 1
        loaded.triangles.render()
        if smooth:
            self.context.copy_framebuffer(self.coarse, self.smooth)
        width, height = self.size
        pixels = np.frombuffer(self.coarse.read(components=3, dtype="f2"), np.float16)
        return pixels.reshape(height, width, 3)[::-1].astype(np.float32)

    def depth(self, loaded: _Loaded, lens: Lens) -> NDArray[np.float32]:
        """(height, width) metres along the camera's axis to what is seen first."""
        self.depth_only.use()
        self.depth_only.clear()
        self.depth_program["view"].write(_columns(self._view(lens)))
        loaded.depths.render()
        width, height = self.size
        stored = np.frombuffer(self.depth_texture.read(), np.float32).reshape(height, width)[::-1]
        return np.asarray(NEAR * FAR / (FAR - stored * (FAR - NEAR)), np.float32)

    def _view(self, lens: Lens) -> Array:
        width, height = self.size
        flip = np.diag([1.0, -1.0, -1.0])
        view = np.eye(4)
        view[:3, :3] = flip @ lens.rotation
        view[:3, 3] = -view[:3, :3] @ lens.position
        projection = np.zeros((4, 4))
        projection[0, 0], projection[1, 1] = 2 * lens.focal / width, 2 * lens.focal / height
        projection[0, 2] = 1 - 2 * lens.centre[0] / width
        projection[1, 2] = 2 * lens.centre[1] / height - 1
        projection[2, 2], projection[2, 3] = (FAR + NEAR) / (NEAR - FAR), 2 * FAR * NEAR / (NEAR - FAR)
        projection[3, 2] = -1
        return projection @ view


@dataclass(frozen=True)
class _Loaded:
    """Meshes in the graphics card's memory."""

    buffers: tuple[Any, Any]
    triangles: Any
    depths: Any
    shadow_view: Array
    light: Light

    def release(self) -> None:
        """Free the memory."""
        for part in (self.triangles, self.depths, *self.buffers):
            part.release()


def _columns(matrix: Array) -> bytes:
    return np.ascontiguousarray(matrix.T, np.float32).tobytes()


def _shadow_view(light: Light) -> Array:
    z = np.array(light.direction) / np.linalg.norm(light.direction)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    view = np.eye(4)
    view[:3, :3] = np.stack([x, np.cross(z, x), z])
    view[:3, 3] = -view[:3, :3] @ np.array(MIDDLE)
    return np.diag([1 / SHADOW_REACH, 1 / SHADOW_REACH, -1 / 6.0, 1.0]) @ view
