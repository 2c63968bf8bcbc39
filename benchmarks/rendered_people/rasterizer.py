"""Pictures by OpenGL, off the screen: triangles with colours and procedural patterns, a light with shadows, depths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.scene import Light

Array = NDArray[np.float64]
NEAR, FAR = 0.02, 30.0
SHADOW_SIZE = 1024
SHADOW_REACH = 2.6
"""Metres around the middle of the scene in which things throw shadows."""

_VERTEX = """
#version 330
uniform mat4 view; uniform mat4 shadow_view;
in vec3 place; in vec3 normal; in vec3 colour; in vec3 rest; in float pattern;
out vec3 world_place; out vec3 world_normal; out vec3 base; out vec3 pattern_place; out vec4 in_shadow;
flat out int kind;
void main() {
    gl_Position = view * vec4(place, 1.0);
    world_place = place; world_normal = normal; base = colour; pattern_place = rest; kind = int(pattern + 0.5);
    in_shadow = shadow_view * vec4(place, 1.0);
}
"""
_FRAGMENT = """
#version 330
uniform vec3 eye; uniform vec3 to_light; uniform vec3 key; uniform vec3 sky; uniform vec3 ground;
uniform sampler2DShadow shadow;
in vec3 world_place; in vec3 world_normal; in vec3 base; in vec3 pattern_place; in vec4 in_shadow;
flat in int kind;
out vec4 pixel;
float hash(vec3 p) { p = fract(p * 0.3183099 + 0.1); p *= 17.0; return fract(p.x * p.y * p.z * (p.x + p.y + p.z)); }
float noise(vec3 x) {
    vec3 i = floor(x), f = fract(x); f = f * f * (3.0 - 2.0 * f);
    return mix(mix(mix(hash(i), hash(i + vec3(1,0,0)), f.x), mix(hash(i + vec3(0,1,0)), hash(i + vec3(1,1,0)), f.x), f.y),
               mix(mix(hash(i + vec3(0,0,1)), hash(i + vec3(1,0,1)), f.x), mix(hash(i + vec3(0,1,1)), hash(i + vec3(1,1,1)), f.x), f.y), f.z);
}
vec3 patterned(vec3 c, vec3 p) {
    if (kind == 1) return c * (fract(p.z * 16.0) < 0.5 ? 1.0 : 0.55);
    if (kind == 2) return c * (0.6 + 0.25 * step(0.5, fract(p.z * 9.0)) + 0.25 * step(0.5, fract(p.x * 9.0 + p.y * 3.0)));
    if (kind == 3) return c * (0.7 + 0.6 * noise(p * 60.0));
    if (kind == 4) return c * (0.75 + 0.25 * noise(vec3(p.x * 2.0, p.y * 25.0, p.z * 25.0)) + 0.1 * noise(p * 4.0));
    if (kind == 5) return c * (0.9 + 0.1 * noise(p * 3.0) + 0.06 * noise(p * 40.0));
    if (kind == 6) { vec2 q = abs(fract(p.xy * 1.7) - 0.5); return c * (max(q.x, q.y) > 0.48 ? 0.7 : 0.9 + 0.12 * noise(floor(p * 1.7) * 7.3)); }
    if (kind == 7) return mix(c, vec3(0.9) - c * 0.5, smoothstep(0.45, 0.6, noise(p * 6.0)) * 0.8);
    if (kind == 8) return c * (0.94 + 0.08 * noise(p * 45.0) + 0.05 * noise(p * 300.0));
    if (kind == 9) return c * (0.65 + 0.5 * noise(vec3(p.x * 140.0, p.y * 140.0, p.z * 14.0)));
    return c;
}
void main() {
    vec3 n = normalize(world_normal), towards_eye = normalize(eye - world_place);
    if (dot(n, towards_eye) < 0.0) n = -n;
    vec3 s = in_shadow.xyz / in_shadow.w * 0.5 + 0.5;
    float lit = 1.0;
    if (all(greaterThan(s, vec3(0.0))) && all(lessThan(s, vec3(1.0)))) {
        float b = 0.0025, r = 1.3 / 1024.0;
        lit = 0.25 * (texture(shadow, vec3(s.xy + vec2(r, 0), s.z - b)) + texture(shadow, vec3(s.xy + vec2(-r, 0), s.z - b))
                    + texture(shadow, vec3(s.xy + vec2(0, r), s.z - b)) + texture(shadow, vec3(s.xy + vec2(0, -r), s.z - b)));
    }
    vec3 albedo = pow(clamp(patterned(base, pattern_place), 0.0, 1.0), vec3(2.2));
    float facing = max(dot(n, to_light), 0.0);
    vec3 half_way = normalize(to_light + towards_eye);
    float gloss = kind == 8 ? 0.12 : 0.03;
    vec3 colour = albedo * (mix(ground, sky, n.z * 0.5 + 0.5) + key * facing * lit)
                + gloss * key * lit * pow(max(dot(n, half_way), 0.0), 24.0);
    pixel = vec4(colour, 1.0);
}
"""
_DEPTH_VERTEX = """
#version 330
uniform mat4 view; in vec3 place;
void main() { gl_Position = view * vec4(place, 1.0); }
"""
_DEPTH_FRAGMENT = """
#version 330
void main() {}
"""


@dataclass(frozen=True)
class Mesh:
    """Triangles to draw."""

    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    colours: NDArray[np.float32]
    rest: NDArray[np.float32]
    """Where patterns are looked up, so that they move with what moves."""
    pattern: NDArray[np.float32]
    faces: NDArray[np.int32]

    def __add__(self, other: Mesh) -> Mesh:
        parts = [np.concatenate(pair) for pair in zip(self._arrays(), other._arrays(), strict=True)]
        return Mesh(*parts, np.concatenate([self.faces, other.faces + len(self.vertices)]))

    def _arrays(self) -> tuple[NDArray[np.float32], ...]:
        return self.vertices, self.normals, self.colours, self.rest, self.pattern

    def interleaved(self) -> NDArray[np.float32]:
        """(vertices, 13) as the graphics card takes them."""
        return np.concatenate([*self._arrays()[:4], self.pattern[:, None]], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Lens:
    """A camera at a moment: world to camera (x right, y down, z ahead), and its focal length in pixels."""

    rotation: Array
    position: Array
    focal: float
    centre: tuple[float, float]

    def to_camera(self, points: Array) -> Array:
        """(..., 3) points of the world in the camera's frame, in metres."""
        return np.asarray((points - self.position) @ self.rotation.T, np.float64)

    def to_pixels(self, camera: Array) -> Array:
        """(..., 2) where points of the camera's frame are in the picture; NaN behind the camera."""
        depth = np.where(camera[..., 2:] > NEAR, camera[..., 2:], np.nan)
        return np.asarray(camera[..., :2] / depth * self.focal + np.array(self.centre), np.float64)


class Rasterizer:
    """Draws meshes at one size of picture."""

    def __init__(self, width: int, height: int, samples: int = 4) -> None:
        import moderngl

        self.size = width, height
        self.context: Any = moderngl.create_context(standalone=True, backend="egl")
        self.context.enable(moderngl.DEPTH_TEST)
        self.program = self.context.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        self.depth_program = self.context.program(vertex_shader=_DEPTH_VERTEX, fragment_shader=_DEPTH_FRAGMENT)
        self.drawn = self.context.framebuffer(
            [self.context.renderbuffer(self.size, 4, samples=samples, dtype="f2")],
            self.context.depth_renderbuffer(self.size, samples=samples),
        )
        self.resolved = self.context.framebuffer([self.context.renderbuffer(self.size, 4, dtype="f2")])
        self.depth_texture = self.context.depth_texture(self.size)
        self.depth_texture.compare_func = ""
        self.depth_only = self.context.framebuffer(depth_attachment=self.depth_texture)
        self.shadow_texture = self.context.depth_texture((SHADOW_SIZE, SHADOW_SIZE))
        self.shadow_only = self.context.framebuffer(depth_attachment=self.shadow_texture)

    def load(self, mesh: Mesh, light: Light, middle: Array, first_caster: int = 0) -> _Loaded:
        """Take in what is to be drawn, and throw the shadows of its faces from `first_caster` on."""
        vertices = self.context.buffer(mesh.interleaved().tobytes())
        faces = self.context.buffer(np.ascontiguousarray(mesh.faces, np.int32).tobytes())
        layout = [(vertices, "3f 3f 3f 3f 1f", "place", "normal", "colour", "rest", "pattern")]
        plain = [(vertices, "3f 40x", "place")]
        loaded = _Loaded(
            (vertices, faces),
            self.context.vertex_array(self.program, layout, faces),
            self.context.vertex_array(self.depth_program, plain, faces),
            _shadow_view(light, middle),
            light,
        )
        self.shadow_only.use()
        self.shadow_only.clear()
        self.depth_program["view"].write(_columns(loaded.shadow_view))
        loaded.depths.render(vertices=3 * (len(mesh.faces) - first_caster), first=3 * first_caster)
        return loaded

    def draw(self, loaded: _Loaded, lens: Lens) -> NDArray[np.float32]:
        """(height, width, 3) linear light."""
        self.drawn.use()
        self.drawn.clear()
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
        program["shadow"].value = 0
        loaded.triangles.render()
        self.context.copy_framebuffer(self.resolved, self.drawn)
        width, height = self.size
        pixels = np.frombuffer(self.resolved.read(components=3, dtype="f2"), np.float16)
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


def _shadow_view(light: Light, middle: Array) -> Array:
    z = np.array(light.direction) / np.linalg.norm(light.direction)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    view = np.eye(4)
    view[:3, :3] = np.stack([x, np.cross(z, x), z])
    view[:3, 3] = -view[:3, :3] @ middle
    return np.diag([1 / SHADOW_REACH, 1 / SHADOW_REACH, -1 / 6.0, 1.0]) @ view
