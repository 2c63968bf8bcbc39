"""Read kinesphere datasets: people's keypoint trajectories, streamed into robot training.

>>> import kinesphere as ks
>>> dataset = ks.open_dataset("workspace/datasets/kitchen")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kinesphere.version import __version__

if TYPE_CHECKING:
    from kinesphere.dataset import Dataset, open_dataset
    from kinesphere.errors import (
        Conflict,
        CorruptObject,
        InvalidInput,
        InvalidTask,
        InvalidVideo,
        KinesphereError,
        MissingDependency,
        NewerFormat,
        NotFound,
        StorageFailed,
        Withdrawn,
    )
    from kinesphere.objects.disk_cache import clear_cache
    from kinesphere.statistics.statistics import ArrayStatistics, Statistics
    from kinesphere.training.mixture import MixedStream, mix
    from kinesphere.training.torch_dataset import TorchDataset
    from kinesphere.trajectory import ARRAYS, BODY_LANDMARKS, HAND_LANDMARKS, HANDS, ArraySpec, Valid
    from kinesphere.transforms.drop_invalid import DropInvalid
    from kinesphere.transforms.masks import Masks
    from kinesphere.transforms.measurement_noise import MeasurementNoise
    from kinesphere.transforms.mirror import Mirror
    from kinesphere.transforms.normalize import Normalize
    from kinesphere.transforms.relative_actions import RelativeActions, absolute_poses, relative_actions
    from kinesphere.transforms.rotations import convert_rotation
    from kinesphere.transforms.time_warp import TimeWarp
    from kinesphere.transforms.video_float import VideoFloat
    from kinesphere.transforms.viewpoint import Viewpoint
    from kinesphere.transforms.wrist_velocity import wrist_velocity

__all__ = [
    "ARRAYS",
    "BODY_LANDMARKS",
    "HANDS",
    "HAND_LANDMARKS",
    "ArraySpec",
    "ArrayStatistics",
    "Conflict",
    "CorruptObject",
    "Dataset",
    "DropInvalid",
    "InvalidInput",
    "InvalidTask",
    "InvalidVideo",
    "KinesphereError",
    "Masks",
    "MeasurementNoise",
    "Mirror",
    "MissingDependency",
    "MixedStream",
    "NewerFormat",
    "Normalize",
    "NotFound",
    "RelativeActions",
    "Statistics",
    "StorageFailed",
    "TimeWarp",
    "TorchDataset",
    "Valid",
    "VideoFloat",
    "Viewpoint",
    "Withdrawn",
    "__version__",
    "absolute_poses",
    "clear_cache",
    "convert_rotation",
    "mix",
    "open_dataset",
    "relative_actions",
    "wrist_velocity",
]

_HOMES = {
    "ARRAYS": "trajectory",
    "ArraySpec": "trajectory",
    "ArrayStatistics": "statistics.statistics",
    "BODY_LANDMARKS": "trajectory",
    "Conflict": "errors",
    "CorruptObject": "errors",
    "Dataset": "dataset",
    "DropInvalid": "transforms.drop_invalid",
    "HANDS": "trajectory",
    "HAND_LANDMARKS": "trajectory",
    "InvalidInput": "errors",
    "InvalidTask": "errors",
    "InvalidVideo": "errors",
    "KinesphereError": "errors",
    "Masks": "transforms.masks",
    "MeasurementNoise": "transforms.measurement_noise",
    "Mirror": "transforms.mirror",
    "MissingDependency": "errors",
    "MixedStream": "training.mixture",
    "NewerFormat": "errors",
    "Normalize": "transforms.normalize",
    "NotFound": "errors",
    "RelativeActions": "transforms.relative_actions",
    "Statistics": "statistics.statistics",
    "StorageFailed": "errors",
    "TimeWarp": "transforms.time_warp",
    "TorchDataset": "training.torch_dataset",
    "Valid": "trajectory",
    "VideoFloat": "transforms.video_float",
    "Viewpoint": "transforms.viewpoint",
    "Withdrawn": "errors",
    "absolute_poses": "transforms.relative_actions",
    "clear_cache": "objects.disk_cache",
    "convert_rotation": "transforms.rotations",
    "mix": "training.mixture",
    "open_dataset": "dataset",
    "relative_actions": "transforms.relative_actions",
    "wrist_velocity": "transforms.wrist_velocity",
}
"""In which module a name lives. Each is loaded when it is first asked for: a command that lists tasks needs no arrays,
and they take a quarter of a second."""


if not TYPE_CHECKING:  # so that mypy knows the names above and refuses others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
