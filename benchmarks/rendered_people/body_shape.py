"""One person's body at rest, from the package anny: skin, bones, and which bones move which part of the skin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rendered_people.rendering_packages import needs_rendering
from benchmarks.rendered_people.scene import Person

Array = NDArray[np.float64]

_HEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""As anny counts them, to find the one that a person has in metres."""


@dataclass(frozen=True)
class BodyShape:
    """A body at rest: arms hang away from the trunk, feet apart; x to the person's left, y behind them, z up."""

    bones: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Array
    """(bones, 3) where each bone begins, in metres from the middle of the pelvis."""
    vertices: Array
    """(vertices, 3) in metres, likewise."""
    faces: NDArray[np.int64]
    """(faces, 3) indices of vertices, anticlockwise seen from outside."""
    weights: Array
    """(vertices, bones) how much each bone moves each vertex; rows sum to 1."""
    keypoints: dict[str, Array]
    """Named points of the surface as weights of vertices, those of COCO."""
    eyeballs: tuple[NDArray[np.int64], NDArray[np.int64]]
    """Vertices of the left and of the right eyeball."""
    lips: NDArray[np.int64]
    """Vertices where the lips meet."""

    def bone(self, name: str) -> int:
        """The index of a bone."""
        return self.bones.index(name)

    @property
    def floor(self) -> float:
        """How far below the pelvis the soles are, negative."""
        return float(self.vertices[:, 2].min())

    @property
    def height(self) -> float:
        """From the soles to the top of the head."""
        return float(np.ptp(self.vertices[:, 2]))


@cache
def body_shape(person: Person) -> BodyShape:
    """The body of one person, of the height that was asked for.

    Args:
        person: whose.

    Returns:
        Their body at rest.

    Raises:
        MissingDependency: anny or PyTorch is not installed.
    """
    with needs_rendering():
        import torch
        from anny import KeypointsRegressor
        from anny.face_segmentation import get_face_segmentation_mask

    model = _model()
    bones = tuple(model.bone_labels)
    still = torch.eye(4)[None, None].repeat(1, len(bones), 1, 1)
    kinds = {"gender": person.femininity, "age": person.age, "muscle": person.muscle, "weight": person.weight}
    kinds |= {"proportions": person.proportions}
    kinds |= dict(zip(("african", "asian", "caucasian"), person.face, strict=True))

    def at_rest(height: float) -> tuple[Array, Array]:
        with torch.no_grad():
            found = model(pose_parameters=still, phenotype_kwargs={**kinds, "height": height})
        return found["vertices"][0].double().numpy(), found["bone_poses"][0, :, :3, 3].double().numpy()

    tall = [float(np.ptp(at_rest(height)[0][:, 2])) for height in _HEIGHTS]
    vertices, heads = at_rest(float(np.interp(person.height, tall, _HEIGHTS)))
    weights = np.zeros((len(vertices), len(bones)))
    owners = model.vertex_bone_indices.numpy()
    np.add.at(weights, (np.arange(len(vertices))[:, None], owners), model.vertex_bone_weights.double().numpy())
    regressor, faces = KeypointsRegressor.coco(model), model.faces.numpy()
    parts = ("eye_front.L", "eye_front.R", "mouth_cavity", "head")
    of = {part: np.unique(faces[get_face_segmentation_mask(model, [part]).numpy()]) for part in parts}
    return BodyShape(
        bones,
        tuple(int(parent) for parent in model.bone_parents),
        heads,
        vertices,
        faces.astype(np.int64),
        weights / weights.sum(axis=1, keepdims=True),
        dict(zip(regressor.labels, regressor.regression_weights.double().numpy(), strict=True)),
        (of["eye_front.L"], of["eye_front.R"]),
        np.intersect1d(of["mouth_cavity"], of["head"]),
    )


@cache
def _model() -> Any:
    with needs_rendering():
        import anny
        import torch

    torch.set_num_threads(1)
    # Its own skinning is used at rest only, so Warp, which is large, need not be installed.
    return anny.Anny(phenotypes="all", skinning_method="lbs").to(dtype=torch.float32)
