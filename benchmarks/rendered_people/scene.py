"""What a scene is: people, what they wear and do, the room, the light, and the cameras that look on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 1, as they are in a picture (not linear)."""
Framing = Literal["desk", "whole body", "hands", "first person"]
Motion = Literal["gestures", "turning", "crossing", "clapping", "reaching", "manipulating", "waving"]
Sleeves = Literal["none", "short", "long"]


@dataclass(frozen=True)
class Person:
    """A body, and what it is like."""

    femininity: float
    age: float
    """As anny counts it: 0.33 a child, 0.67 a young adult, 1 an old one."""
    muscle: float
    weight: float
    proportions: float
    face: tuple[float, float, float]
    """Shares of anny's three sets of features."""
    height: float
    """In metres."""
    skin: Colour
    hair: Colour
    hair_length: Literal["none", "short", "long"]
    left_handed: bool


@dataclass(frozen=True)
class Clothes:
    """What one person wears."""

    top: Colour
    trousers: Colour
    shoes: Colour
    sleeves: Sleeves
    gloves: Colour | None
    pattern: int
    """0 plain, 1 stripes, 2 checks, 3 speckled."""


@dataclass(frozen=True)
class Actor:
    """One person in the scene: who, dressed how, doing what, where."""

    person: Person
    clothes: Clothes
    motion: Motion
    seated: bool
    near: bool
    """Whether the hands stay low before the body, where the person looks at them."""
    strolls: float
    """How far the person goes about, in metres."""
    place: tuple[float, float]
    """Where the feet are on the floor, x and y in metres in the world."""
    facing: float
    """Turn about the vertical in radians: 0 looks to -y, where the cameras are."""


@dataclass(frozen=True)
class Camera:
    """A webcam: where it is and how it looks; world z is up, all lengths in metres."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    roll: float
    """In radians."""
    focal: float
    """In pixels of the picture's width over 1280, so that 1109 is 60 degrees wide."""
    principal: tuple[float, float]
    """Of the optical axis from the middle of the picture, in pixels of a picture 1280 wide."""
    worn_by: int | None = None
    """The actor on whose head it sits; position and target are then in the head's frame."""


@dataclass(frozen=True)
class Light:
    """The room's light."""

    direction: tuple[float, float, float]
    """From where the strongest light comes."""
    key: float
    ambient: float
    warmth: float
    """-1 blue to 1 orange."""


@dataclass(frozen=True)
class Quality:
    """What the camera and its encoder do to the picture."""

    exposure: float
    """In stops."""
    shutter: float
    """The share of the frame's time in which the shutter is open: how much moving things blur."""
    noise: float
    """Standard deviation in levels of 255 in the dark."""
    softness: float
    """Standard deviation of the lens's blur in pixels."""
    crf: int
    """Of x264: 18 very good to 34 poor."""


@dataclass(frozen=True)
class Room:
    """Walls, floor and furniture, made from one seed."""

    seed: int
    desk: bool
    occluder: bool
    """Something that stands between camera and hands."""


@dataclass(frozen=True)
class Scene:
    """All that decides a clip."""

    seed: int
    framing: Framing
    actors: tuple[Actor, ...]
    cameras: tuple[Camera, ...]
    light: Light
    quality: Quality
    room: Room
    frames: int = 90
    rate: float = 30.0
    width: int = 1280
    height: int = 720
