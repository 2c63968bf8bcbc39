"""A scene for every seed: what is filmed goes round in a cycle, who is filmed is shuffled independently of it."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np

from benchmarks.rendered_people.scene import (
    Actor,
    Camera,
    Clothes,
    Colour,
    Framing,
    Light,
    Motion,
    Person,
    Quality,
    Room,
    Scene,
)

PROGRAMME: tuple[tuple[Framing, tuple[Motion, ...]], ...] = (
    ("whole body", ("turning",)),
    ("desk", ("manipulating",)),
    ("hands", ("manipulating", "crossing")),
    ("whole body", ("gestures", "clapping")),
    ("first person", ("manipulating", "reaching")),
    ("desk", ("clapping", "waving")),
    ("whole body", ("crossing", "manipulating")),
    ("hands", ("gestures", "clapping")),
    ("desk", ("reaching",)),
    ("whole body", ("waving", "turning")),
    ("first person", ("gestures", "clapping")),
    ("desk", ("crossing",)),
    ("whole body", ("reaching", "gestures")),
    ("desk", ("gestures", "manipulating")),
)
"""What is filmed, seed by seed; any 14 seeds in a row have every framing and every motion."""

SKINS: tuple[Colour, ...] = (
    (0.96, 0.84, 0.77), (0.91, 0.75, 0.64), (0.80, 0.61, 0.47),
    (0.65, 0.46, 0.33), (0.46, 0.31, 0.22), (0.31, 0.20, 0.15),
)  # fmt: skip
"""From the lightest to the darkest, about the six of Fitzpatrick's scale."""
HAIR: tuple[Colour, ...] = (
    (0.10, 0.07, 0.05), (0.22, 0.14, 0.09), (0.55, 0.40, 0.22), (0.75, 0.73, 0.72), (0.40, 0.17, 0.08),
)  # fmt: skip
AGES = {"child": (0.3, 0.42), "young": (0.6, 0.7), "middle": (0.72, 0.85), "old": (0.88, 1.0)}
"""From and to, as anny counts it."""
BUILDS = {"thin": (0.4, 0.15), "average": (0.5, 0.5), "heavy": (0.45, 0.9), "muscular": (0.9, 0.6)}
"""Muscle and weight, as anny counts them."""


def draw_scene(seed: int) -> Scene:
    """The scene of one seed.

    Args:
        seed: any number from 0.

    Returns:
        The same scene for the same seed, on any machine.
    """
    framing, motions = PROGRAMME[seed % len(PROGRAMME)]
    motion = motions[_level("motion", seed // len(PROGRAMME), len(motions))]
    generator = np.random.default_rng([seed, 17])
    desk = framing == "desk" or (framing in ("hands", "first person") and generator.random() < 0.7)
    near = framing in ("hands", "first person")
    main = _actor(seed, generator, motion, framing != "whole body", near, (0.0, 0.0))
    actors = [main]
    if _level("company", seed, 6) == 0:
        where = float(generator.choice([-1, 1]) * generator.uniform(0.7, 1.1)), float(generator.uniform(0.5, 1.0))
        actors.append(_actor(seed + 500_009, generator, "gestures", False, False, where))
    shutter = (0.05, 0.25, 0.5, 0.8)[_level("shutter", seed, 4)]
    dim = _level("light", seed, 5) == 0
    light = Light(
        (float(generator.uniform(-1, 1)), float(generator.uniform(-1.2, -0.2)), float(generator.uniform(0.5, 1.3))),
        float(generator.uniform(0.5, 1.3)) * (0.35 if dim else 1),
        float(generator.uniform(0.35, 0.7)) * (0.35 if dim else 1),
        float(generator.uniform(-0.7, 1)),
    )
    quality = Quality(
        float(generator.uniform(-0.4, 0.4)),
        shutter,
        float(generator.uniform(4, 9) if dim else generator.uniform(0.5, 3)),
        float(generator.uniform(0.3, 1.1)),
        (19, 23, 28, 33)[_level("compression", seed, 4)],
    )
    occluder = framing in ("desk", "whole body") and _level("occluder", seed, 5) == 0
    camera = _camera(generator, framing, main)
    return Scene(seed, framing, tuple(actors), (camera,), light, quality, Room(seed, desk, occluder))


def traits_of(actor: Actor) -> dict[str, str]:
    """What a person is like, in the groups that tables of fairness have.

    Args:
        actor: the person and their clothes.

    Returns:
        Group by trait: skin (1 the lightest to 6), age, sex, build, handedness, sleeves.
    """
    person = actor.person
    shade = np.linalg.norm(np.array(SKINS) - person.skin, axis=1).argmin() + 1
    builds = np.linalg.norm(np.array(list(BUILDS.values())) - (person.muscle, person.weight), axis=1)
    return {
        "skin": str(shade),
        "age": next(name for name, (_, last) in AGES.items() if person.age <= last),
        "sex": "female" if person.femininity > 0.5 else "male",
        "build": list(BUILDS)[int(builds.argmin())],
        "handedness": "left" if person.left_handed else "right",
        "sleeves": "gloves" if actor.clothes.gloves is not None else actor.clothes.sleeves,
    }


def _level(what: str, seed: int, levels: int) -> int:
    """A level of one property: each once in `levels` seeds, in an order that is independent of all others."""
    digest = hashlib.sha256(f"{what} {seed // levels}".encode()).digest()
    order = np.random.default_rng(int.from_bytes(digest[:8], "little")).permutation(levels)
    return int(order[seed % levels])


def _actor(
    seed: int, generator: np.random.Generator, motion: Motion, seated: bool, near: bool, place: tuple[float, float]
) -> Actor:
    age, build = list(AGES)[_level("age", seed, 4)], list(BUILDS)[_level("build", seed, 4)]
    female = _level("sex", seed, 2) == 0
    skin = SKINS[_level("skin", seed, 6)]
    face = generator.dirichlet((0.5, 0.5, 0.5))
    adult = 1.63 if female else 1.76
    height = generator.normal(adult, 0.07) if age != "child" else generator.uniform(1.1, 1.5)
    (low, high), (muscle, weight) = AGES[age], BUILDS[build]
    hair = HAIR[3] if age == "old" and generator.random() < 0.7 else HAIR[int(generator.integers(len(HAIR)))]
    length: Literal["none", "short", "long"] = "short"
    if female:
        length = "long" if generator.random() < 0.75 else "short"
    elif generator.random() < 0.2:
        length = "none"
    person = Person(
        float(np.clip(generator.normal(0.9 if female else 0.1, 0.08), 0, 1)),
        float(generator.uniform(low, high)),
        float(np.clip(generator.normal(muscle, 0.07), 0, 1)),
        float(np.clip(generator.normal(weight, 0.07), 0, 1)),
        float(generator.uniform(0.2, 0.8)),
        (float(face[0]), float(face[1]), float(face[2])),
        float(np.clip(height, 1.05, 2.05)),
        _shade(generator, skin, 0.02),
        _shade(generator, hair, 0.03),
        length,
        _level("hand", seed, 5) == 0,
    )
    gloves = _any_colour(generator) if _level("gloves", seed, 8) == 0 else None
    clothes = Clothes(
        _any_colour(generator), _any_colour(generator), _any_colour(generator),
        ("none", "short", "long")[_level("sleeves", seed, 3)], gloves, int(generator.integers(0, 4)),
    )  # fmt: skip
    strolls = 0.0 if seated or _level("strolls", seed, 2) else float(generator.uniform(0.3, 0.9))
    return Actor(person, clothes, motion, seated, near, strolls, place, float(generator.normal(0, 0.25)))


def _camera(generator: np.random.Generator, framing: Framing, main: Actor) -> Camera:
    focal = float(np.exp(generator.uniform(np.log(700), np.log(1500))))
    centre = float(generator.normal(0, 8)), float(generator.normal(0, 8))
    roll = float(generator.normal(0, 0.03))
    tall, angle = main.person.height, float(generator.normal(0, 0.35))
    seat = 0.29 * tall + 0.06
    if framing == "first person":
        down = float(generator.uniform(0.75, 1.1))
        focal = float(generator.uniform(600, 950))
        position = (0.0, float(generator.uniform(-0.08, -0.04)), float(generator.uniform(0.0, 0.06)))
        return Camera(position, (0.0, position[1] - np.cos(down), position[2] - np.sin(down)), roll, focal, centre, 0)
    if framing == "whole body":
        height = float(generator.uniform(0.8, 1.9))
        middle = 0.52 * tall
        # Far enough for head and feet, at most 4 m; a longer lens only where there is room for it.
        distance = min(float(generator.uniform(1.0, 1.3)) * tall * focal / 720 * 1.1, 4.0)
        focal = min(focal, distance / (tall * 1.12) * 720)
        reach = 0.1
    elif framing == "desk":
        middle = seat + 0.31 * tall
        height = middle + float(generator.uniform(-0.2, 0.4))
        distance = float(np.clip(generator.uniform(0.8, 1.15) * 0.62 * tall * focal / 720, 0.6, 2.2))
        reach = 0.1
    else:
        middle = seat + 0.14 * tall
        height = middle + float(generator.uniform(0.15, 0.7))
        distance = float(np.clip(generator.uniform(0.9, 1.2) * 0.33 * tall * focal / 720, 0.5, 1.1))
        reach = 0.24 * tall
    angle += main.facing * 0.5
    away = np.sqrt(max(distance**2 - (height - middle) ** 2, 0.04))
    position = float(np.sin(angle) * away), float(-np.cos(angle) * away - reach), height
    return Camera(position, (0.0, -reach, float(middle)), roll, focal, centre)


def _any_colour(generator: np.random.Generator) -> Colour:
    grey = generator.uniform(0.08, 0.9)
    red, green, blue = np.clip(grey + generator.uniform(-0.3, 0.3, 3), 0.04, 0.95)
    return float(red), float(green), float(blue)


def _shade(generator: np.random.Generator, colour: Colour, by: float) -> Colour:
    red, green, blue = np.clip(np.array(colour) + generator.normal(0, by), 0.03, 0.98)
    return float(red), float(green), float(blue)
