"""A scene becomes clips: pictures, encoded as a webcam's, and the truth beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.body_shape import body_shape
from benchmarks.rendered_people.camera_views import Lens, lens_of
from benchmarks.rendered_people.figure import dress
from benchmarks.rendered_people.landmark_places import landmark_model
from benchmarks.rendered_people.mesh import Mesh
from benchmarks.rendered_people.motions import body_motion
from benchmarks.rendered_people.performance import Performance, perform, seat_height
from benchmarks.rendered_people.rasterizer import Rasterizer
from benchmarks.rendered_people.room import SHELL_FACES, furnish, thing_in_the_way
from benchmarks.rendered_people.scene import Scene
from benchmarks.rendered_people.sensor import ClipWriter, Sensor
from benchmarks.rendered_people.truth import seen, truth_of

Array = NDArray[np.float64]

MOMENTS = 8
"""Moments a frame at which bodies are known, of which a blurred picture takes some."""
MOST_MOMENTS = 6
"""Of how many pictures a blurred one is the mean at most."""
BLUR_STEP = 6.0
"""Pixels that hands move between two of them."""


class _Stage:
    """All that is in the scene, over time; moments are rows, and frame i is at `row_of(i)`."""

    def __init__(self, scene: Scene) -> None:
        # Half a frame before the first, since the shutter's time is about the frame's.
        times = (np.arange(scene.frames * MOMENTS) - MOMENTS // 2) / (scene.rate * MOMENTS)
        self.performances: list[Performance] = []
        self.figures, self.landmarks = [], []
        for number, actor in enumerate(scene.actors):
            shape, generator = body_shape(actor.person), np.random.default_rng([scene.seed, number, 3])
            performance = perform(shape, actor, body_motion(generator, times, actor), times)
            self.performances.append(performance)
            self.figures.append(dress(shape, actor, scene.seed + number))
            model = landmark_model(shape)
            rows = range(self.row_of(0), len(times), MOMENTS)
            self.landmarks.append(np.stack([model.at(performance.turns[row], performance.heads[row]) for row in rows]))
        hands = self.landmarks[0][:, -2 * 21 :]
        desk = 0.0
        if scene.room.desk:  # below where the hands work, but above the lap
            lap = seat_height(self.performances[0].shape) + 0.22 * scene.actors[0].person.height
            desk = min(float(np.quantile(hands[..., 2], 0.02)) - 0.03, lap)
        self.room = furnish(scene.room, desk, -0.14 * scene.actors[0].person.height)
        if scene.room.occluder:
            self.room += thing_in_the_way(scene.room, np.array(scene.cameras[0].position), hands)
        self.lenses = [
            [lens_of(camera, (scene.width, scene.height), self.performances, row) for row in range(len(times))]
            for camera in scene.cameras
        ]

    @staticmethod
    def row_of(frame: int) -> int:
        return frame * MOMENTS + MOMENTS // 2

    def mesh(self, row: int) -> Mesh:
        """Everything at one moment."""
        mesh = self.room
        for figure, performance in zip(self.figures, self.performances, strict=True):
            mesh = mesh + figure.at(performance.turns[row], performance.heads[row])
        return mesh


def film(scene: Scene, folder: Path) -> None:
    """Make a scene's clips: for each camera a folder with `video.mp4`, `truth.npz` and, for others, `truth-1.npz` ...

    Args:
        scene: what to film.
        folder: is made.

    Raises:
        MissingDependency: what this needs is not installed.
    """
    rasterizer = Rasterizer(scene.width, scene.height)
    stage = _Stage(scene)
    size = scene.width, scene.height
    cameras = range(len(scene.cameras))
    places = [folder / f"camera{camera}" for camera in cameras]
    for place in places:
        place.mkdir(parents=True)
    writers = [ClipWriter(place / "video.mp4", scene) for place in places]
    sensors = [Sensor(scene.quality, scene.seed + camera, size) for camera in cameras]
    visible = np.zeros((len(scene.cameras), len(scene.actors), scene.frames, stage.landmarks[0].shape[1]), bool)
    for frame in range(scene.frames):
        lights = _exposed(scene, stage, rasterizer, frame, visible[:, :, frame])
        for sensor, writer, light in zip(sensors, writers, lights, strict=True):
            writer.add(sensor.picture(light), frame)
    times = np.arange(scene.frames) / scene.rate
    for camera in cameras:
        writers[camera].close()
        lenses = stage.lenses[camera][MOMENTS // 2 :: MOMENTS]
        for actor, landmarks in enumerate(stage.landmarks):
            name = f"truth-{actor}.npz" if actor else "truth.npz"
            truth_of(landmarks, visible[camera, actor], lenses, times).save(places[camera] / name)


def _exposed(
    scene: Scene, stage: _Stage, rasterizer: Rasterizer, frame: int, visible: NDArray[np.bool_]
) -> list[NDArray[np.float32]]:
    """The light that each camera takes in while its shutter is open; says what is visible in the middle of that."""
    row = stage.row_of(frame)
    count = _pictures_of(scene, stage.lenses[0], stage.landmarks[0], frame)
    offsets = (np.arange(count) - (count - 1) / 2) / count * scene.quality.shutter * MOMENTS
    rows = np.clip(row + np.round(offsets).astype(int), 0, scene.frames * MOMENTS - 1)
    lights = [np.zeros((scene.height, scene.width, 3), np.float32) for _ in scene.cameras]
    for moment in dict.fromkeys([*rows.tolist(), row]):
        loaded = rasterizer.load(stage.mesh(moment), scene.light, SHELL_FACES)
        share = np.float32(np.count_nonzero(rows == moment) / count)
        for camera, lenses in enumerate(stage.lenses):
            if share:
                lights[camera] += share * rasterizer.draw(loaded, lenses[moment], smooth=count == 1)
            if moment == row:
                depth = rasterizer.depth(loaded, lenses[row])
                for actor, landmarks in enumerate(stage.landmarks):
                    points = lenses[row].to_camera(landmarks[frame])
                    visible[camera, actor] = seen(points, lenses[row].to_pixels(points), depth)
        loaded.release()
    return lights


def _pictures_of(scene: Scene, lenses: list[Lens], landmarks: Array, frame: int) -> int:
    """How many pictures a blurred one is the mean of: as many as its hands need."""
    if frame == 0 or scene.quality.shutter < 0.1:
        return 1
    before, after = (
        lens.to_pixels(lens.to_camera(landmarks[at, -2 * 21 :]))
        for at, lens in ((at, lenses[_Stage.row_of(at)]) for at in (frame - 1, frame))
    )
    moved = np.linalg.norm(after - before, axis=1)
    moved = moved[np.isfinite(moved)]
    needed = moved.max() * scene.quality.shutter / BLUR_STEP if len(moved) else 1
    return int(np.clip(np.ceil(needed), 1, MOST_MOMENTS))
