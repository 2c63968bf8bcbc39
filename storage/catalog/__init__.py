"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from .attributes import Attributes
from .catalog import Catalog
from .erasures import Belongings, Erasures
from .exports import Exports
from .records import (
    CheckRecord,
    CheckValue,
    Decision,
    ErasureRecord,
    Event,
    ExportRecord,
    ExportState,
    GoldRecord,
    Reason,
    RecordingRecord,
    ReviewLease,
    ReviewRecord,
    SegmentRecord,
    StoredTask,
    TrajectoryRecord,
    Verdict,
    WaitingReview,
)
from .reviews import Reviews

__all__ = [
    "Attributes",
    "Belongings",
    "Catalog",
    "CheckRecord",
    "CheckValue",
    "Decision",
    "ErasureRecord",
    "Erasures",
    "Event",
    "ExportRecord",
    "ExportState",
    "Exports",
    "GoldRecord",
    "Reason",
    "RecordingRecord",
    "ReviewLease",
    "ReviewRecord",
    "Reviews",
    "SegmentRecord",
    "StoredTask",
    "TrajectoryRecord",
    "Verdict",
    "WaitingReview",
]
