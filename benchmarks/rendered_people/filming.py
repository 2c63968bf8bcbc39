"""A scene becomes clips: pictures, encoded as a webcam's, and the truth beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import body_shape
from benchmarks.rendered_people.figure import Figure, dress
from benchmarks.rendered_people.motions import body_motion
from benchmarks.rendered_people.performance import Performance, perform, seat_height
from benchmarks.rendered_people.rasterizer import Lens, Rasterizer
from benchmarks.rendered_people.room import SHELL_FACES, box, furnish
from benchmarks.rendered_people.scene import Camera, Quality, Scene
from benchmarks.rendered_people.truth import landmark_model, seen, truth_arrays

Array = NDArray[np.float64]
MOST_SUBFRAMES = 6
MEAN_LIGHT = 0.2
"""What automatic exposure aims at, of 1 for white."""
BLUR_STEP = 6.0
"""Pixels that a hand moves between two of the pictures of which a blurred one is the mean."""


def film(scene: Scene, folder: Path, rasterizer: Rasterizer | None = None) -> None:
    """Make a scene's clips.

    Args:
        scene: what to film.
        folder: an empty folder; each camera gets a folder in it.
        rasterizer: of the scene's size of picture; by default a new one.
    """
    rasterizer = rasterizer or Rasterizer(scene.width, scene.height)
    times = np.arange(scene.frames) / scene.rate
    fine = 8
    between = (np.arange(scene.frames * fine) - fine // 2) / (scene.rate * fine)  # frame i is at i * fine + fine // 2
    figures, performances, worlds = [], [], []
    for number, actor in enumerate(scene.actors):
        shape = body_shape(actor.person)
        generator = np.random.default_rng([scene.seed, number, 3])
        performance = perform(shape, actor, body_motion(generator, between, actor), between)
        figures.append(dress(shape, actor, scene.seed + number))
        performances.append(performance)
        model = landmark_model(shape)
        rows = np.arange(scene.frames) * fine + fine // 2
        worlds.append(np.stack([model.at(performance.turns[row], performance.heads[row]) for row in rows]))
    lenses = [[_lens(camera, scene, performances, row) for row in range(len(between))] for camera in scene.cameras]
    shown = _Stage(scene, figures, performances, worlds[0])
    writers = [_Writer(folder / f"camera{number}", scene) for number in range(len(scene.cameras))]
    visible = np.zeros((len(scene.cameras), len(scene.actors), scene.frames, worlds[0].shape[1]), bool)
    noise = np.random.default_rng([scene.seed, 9])
    gains: list[float] = []
    for frame in range(scene.frames):
        row = frame * fine + fine // 2
        count = _subframes(scene, lenses[0], worlds[0], frame, fine)
        open_for = np.round((np.arange(count) - (count - 1) / 2) / count * scene.quality.shutter * fine).astype(int)
        rows = np.clip(row + open_for, 0, len(between) - 1)
        light: list[NDArray[np.float32] | float] = [0.0] * len(scene.cameras)
        for moment in dict.fromkeys([*rows, row]):
            loaded = rasterizer.load(shown.at(moment), scene.light, shown.middle, SHELL_FACES)
            share = float(np.count_nonzero(rows == moment)) / count
            for number, lens in enumerate(lenses):
                if share:
                    light[number] += share * rasterizer.draw(loaded, lens[moment])
                if moment == row:
                    depth = rasterizer.depth(loaded, lens[row])
                    for actor in range(len(scene.actors)):
                        points = lens[row].to_camera(worlds[actor][frame])
                        pixels = lens[row].to_pixels(points)
                        visible[number, actor, frame] = seen(points, pixels, depth, rasterizer.size)
            loaded.release()
        gains = gains or [_exposed(np.asarray(linear)) * 2**scene.quality.exposure for linear in light]
        for writer, linear, gain in zip(writers, light, gains, strict=True):
            writer.add(_picture(np.asarray(linear) * np.float32(gain), scene.quality, noise), frame)
    for number, (writer, lens) in enumerate(zip(writers, lenses, strict=True)):
        writer.close()
        at_frames = lens[fine // 2 :: fine]
        arrays = truth_arrays(worlds[0], visible[number, 0], at_frames, times)
        for other in range(1, len(scene.actors)):
            theirs = truth_arrays(worlds[other], visible[number, other], at_frames, times)
            names = ("body_camera", "body_pixels", "body_seen", "hands_camera", "hands_pixels", "hands_seen")
            arrays |= {f"other{other}_{name}": theirs[name] for name in names}
        np.savez_compressed(writer.folder / "truth.npz", **arrays)
        (writer.folder / "scene.json").write_text(json.dumps(asdict(scene) | {"camera": number}, indent=1))


class _Stage:
    """All that is in the scene, at each moment."""

    def __init__(self, scene: Scene, figures: list[Figure], performances: list[Performance], world: Array) -> None:
        self.figures, self.performances = figures, performances
        main = scene.actors[0]
        shape = performances[0].shape
        hands = world[:, 33:]
        low = float(np.nanquantile(hands[..., 2], 0.02)) - 0.03
        edge = -0.14 * main.person.height
        desk_height = min(low, seat_height(shape) + 0.22 * main.person.height) if scene.room.desk else 0.0
        self.room = furnish(scene.room, desk_height, edge)
        self.middle = np.array([0.0, -0.2, 0.9])
        if scene.room.occluder:
            self.room += _occluder(scene, world)

    def at(self, row: int):  # noqa: ANN201
        mesh = self.room
        for figure, performance in zip(self.figures, self.performances, strict=True):
            mesh = mesh + figure.at(performance.turns[row], performance.heads[row])
        return mesh


def _occluder(scene: Scene, world: Array):  # noqa: ANN202
    """A thing between camera and hands, which hides a hand part of the time."""
    generator = np.random.default_rng([scene.seed, 23])
    side = int(generator.integers(2))
    wrists = world[:, 33 + 21 * side]
    place = np.median(wrists, axis=0)
    camera = np.array(scene.cameras[0].position)
    middle = place + (camera - place) * float(generator.uniform(0.3, 0.45))
    size = np.array([generator.uniform(0.05, 0.14), generator.uniform(0.05, 0.1), generator.uniform(0.08, 0.2)])
    colour = generator.uniform(0.1, 0.9, 3)
    return box(middle - size / 2, middle + size / 2, colour, int(generator.choice([0, 1, 3, 4])), float(generator.uniform(0, 3)))


def _lens(camera: Camera, scene: Scene, performances: list[Performance], row: int) -> Lens:
    position, target = np.array(camera.position), np.array(camera.target)
    up = np.array([0.0, 0.0, 1.0])
    if camera.worn_by is not None:
        worn = performances[camera.worn_by]
        head, shape = worn.shape.bone("head"), worn.shape
        eyes = np.mean([shape.vertices[ball].mean(axis=0) for ball in shape.eyeballs], axis=0)
        turn = worn.turns[row, head]
        origin = worn.heads[row, head] + turn @ (eyes - shape.heads[head])
        position, target, up = origin + turn @ position, origin + turn @ target, turn @ up
    z = target - position
    z /= np.linalg.norm(z)
    x = np.cross(z, up)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    cosine, sine = np.cos(camera.roll), np.sin(camera.roll)
    rotation = np.stack([cosine * x + sine * y, cosine * y - sine * x, z])
    scale = scene.width / 1280
    centre = (scene.width / 2 + camera.principal[0] * scale, scene.height / 2 + camera.principal[1] * scale)
    return Lens(rotation, position, camera.focal * scale, centre)


def _subframes(scene: Scene, lenses: list[Lens], world: Array, frame: int, fine: int) -> int:
    """How many pictures a blurred one is the mean of: as many as its hands need."""
    if frame == 0 or scene.quality.shutter < 0.1:
        return 1
    before, after = (
        lenses[at * fine + fine // 2].to_pixels(lenses[at * fine + fine // 2].to_camera(world[at, 33:]))
        for at in (frame - 1, frame)
    )
    moved = np.linalg.norm(after - before, axis=1)
    if not np.isfinite(moved).any():
        return 1
    return int(np.clip(np.ceil(np.nanmax(moved) * scene.quality.shutter / BLUR_STEP), 1, MOST_SUBFRAMES))


def _exposed(linear: NDArray[np.float32]) -> float:
    """The gain that a camera's automatic exposure chooses."""
    return MEAN_LIGHT / max(float(linear.mean()), 1e-3)


def _picture(linear: NDArray[np.float32], quality: Quality, noise: np.random.Generator) -> NDArray[np.uint8]:
    """What the sensor makes of the light."""
    light = np.maximum(linear, 0)
    light = np.where(light < 0.7, light, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3))
    picture = 255 * light ** (1 / 2.2)
    picture = cv2.GaussianBlur(picture, (0, 0), quality.softness)
    grain = noise.standard_normal(picture.shape, np.float32)
    picture = picture + quality.noise * grain * (1.4 - picture / 255)
    return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)


class _Writer:
    """Encodes a clip frame by frame."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.container = av.open(str(folder / "video.mp4"), "w")
        stream = self.container.add_stream("libx264", rate=Fraction(scene.rate).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.options = {"crf": str(scene.quality.crf), "preset": "veryfast"}
        stream.codec_context.time_base = Fraction(1, 90_000)
        stream.time_base = Fraction(1, 90_000)
        self.stream, self.rate = stream, scene.rate

    def add(self, picture: NDArray[np.uint8], frame: int) -> None:
        shown = av.VideoFrame.from_ndarray(picture, format="rgb24")
        shown.pts, shown.time_base = round(frame / self.rate * 90_000), Fraction(1, 90_000)
        self.container.mux(self.stream.encode(shown))

    def close(self) -> None:
        self.container.mux(self.stream.encode(None))
        self.container.close()


