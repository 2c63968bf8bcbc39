"""Shaders: how triangles become light. One look-up of noise a pixel, since a software rasterizer runs every branch."""

from __future__ import annotations

VERTEX = """
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
"""Carries places, normals, colours and patterns to the triangles' pixels."""

FRAGMENT = """
#version 330
uniform vec3 eye; uniform vec3 to_light; uniform vec3 key; uniform vec3 sky; uniform vec3 ground;
uniform sampler2DShadow shadow; uniform sampler3D noise;
uniform vec3 grain[10]; uniform float depth[10];
in vec3 world_place; in vec3 world_normal; in vec3 base; in vec3 pattern_place; in vec4 in_shadow;
flat in int kind;
out vec4 pixel;
void main() {
    vec3 n = normalize(world_normal), towards_eye = normalize(eye - world_place), p = pattern_place;
    if (dot(n, towards_eye) < 0.0) n = -n;
    vec3 s = in_shadow.xyz * 0.5 + 0.5;
    float lit = 1.0;
    if (all(greaterThan(s, vec3(0.0))) && all(lessThan(s, vec3(1.0)))) {
        float r = 0.7 / 1024.0; s.z -= 0.0025;
        lit = 0.5 * (texture(shadow, s + vec3(r, r, 0)) + texture(shadow, s - vec3(r, r, 0)));
    }
    float grained = texture(noise, p * grain[kind]).r;
    float shade = 1.0 + depth[kind] * (grained - 0.5);
    if (kind == 1) shade *= fract(p.z * 16.0) < 0.5 ? 1.0 : 0.55;
    if (kind == 2) shade *= 0.6 + 0.25 * step(0.5, fract(p.z * 9.0)) + 0.25 * step(0.5, fract(p.x * 9.0 + p.y * 3.0));
    if (kind == 6) { vec2 q = abs(fract(p.xy * 1.7) - 0.5); shade *= max(q.x, q.y) > 0.48 ? 0.7 : 1.0; }
    vec3 albedo = base * shade;
    if (kind == 7) albedo = mix(base, vec3(0.9) - base * 0.5, smoothstep(0.47, 0.55, grained) * 0.8);
    albedo = clamp(albedo, 0.0, 1.0); albedo *= albedo * (0.2 + 0.8 * sqrt(albedo));
    vec3 half_way = normalize(to_light + towards_eye);
    float shine = max(dot(n, half_way), 0.0); shine *= shine; shine *= shine; shine *= shine; shine *= shine * shine;
    float gloss = (kind == 8 ? 0.12 : 0.03) * lit * shine;
    vec3 light = mix(ground, sky, n.z * 0.5 + 0.5) + key * max(dot(n, to_light), 0.0) * lit;
    pixel = vec4(albedo * light + gloss * key, 1.0);
}
"""
"""Patterns by kind, a light that shadows stop, light from all around, and a little gloss; linear light comes out."""

GRAINS = (
    ((1, 1, 1), 0.0), ((8, 8, 8), 0.1), ((8, 8, 8), 0.1), ((7, 7, 7), 0.9), ((0.25, 2.6, 2.6), 0.7),
    ((0.9, 0.9, 0.9), 0.14), ((1.3, 1.3, 1.3), 0.3), ((0.75, 0.75, 0.75), 0.0), ((6, 6, 6), 0.16), ((17, 17, 1.8), 0.8),
)  # fmt: skip
"""How fine the noise of each kind is, in pieces of noise a metre along x, y and z, and how deep."""
PLAIN, STRIPES, CHECKS, SPECKLED, WOOD, CLOTH, TILES, BLOTCHES, SKIN, HAIR = range(10)
"""The kinds of pattern."""

DEPTH_VERTEX = """
#version 330
uniform mat4 view; in vec3 place;
void main() { gl_Position = view * vec4(place, 1.0); }
"""
"""For depths alone."""
DEPTH_FRAGMENT = """
#version 330
void main() {}
"""
"""Draws nothing, but depths."""
