"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from .catalog import Catalog
from .records import (
    CheckRecord,
    Decision,
    Event,
    RecordingRecord,
    ReviewRecord,
    SegmentRecord,
    StoredTask,
    TrajectoryRecord,
    Verdict,
)

__all__ = [
    "Catalog",
    "CheckRecord",
    "Decision",
    "Event",
    "RecordingRecord",
    "ReviewRecord",
    "SegmentRecord",
    "StoredTask",
    "TrajectoryRecord",
    "Verdict",
]
