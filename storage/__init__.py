"""Read kinesphere datasets: people's keypoint trajectories, streamed into robot training.

>>> import kinesphere as ks  # inside the repository: import storage as ks
>>> dataset = ks.open_dataset("workspace/datasets/kitchen")
"""

from .dataset import Dataset, open_dataset
from .disk_cache import clear_cache
from .errors import (
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
from .motion import relative_actions, wrist_velocity
from .statistics import ArrayStatistics, Statistics
from .trajectory import ARRAYS, BODY_LANDMARKS, HAND_LANDMARKS, HANDS, ArraySpec, Valid
from .transforms import DropInvalid, Mirror, Normalize, RelativeActions
from .version import __version__

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
    "Mirror",
    "MissingDependency",
    "NewerFormat",
    "Normalize",
    "NotFound",
    "RelativeActions",
    "Statistics",
    "StorageFailed",
    "Valid",
    "Withdrawn",
    "__version__",
    "clear_cache",
    "open_dataset",
    "relative_actions",
    "wrist_velocity",
]
