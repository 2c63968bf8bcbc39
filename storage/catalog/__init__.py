"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from .attributes import Attributes
from .catalog import Catalog
from .erasures import Belongings, Erasures
from .records import (
    CheckRecord,
    Decision,
    ErasureRecord,
    Event,
    RecordingRecord,
    ReviewRecord,
    SegmentRecord,
    StoredTask,
    TrajectoryRecord,
    Verdict,
)

__all__ = [
    "Attributes",
    "Belongings",
    "Catalog",
    "CheckRecord",
    "Decision",
    "ErasureRecord",
    "Erasures",
    "Event",
    "RecordingRecord",
    "ReviewRecord",
    "SegmentRecord",
    "StoredTask",
    "TrajectoryRecord",
    "Verdict",
]
