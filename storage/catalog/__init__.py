"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from .annotations import Agreed, Annotations, Annotator
from .attributes import Attributes
from .catalog import Catalog
from .erasures import Belongings, Erasures
from .label_log import MOST_SEGMENTS
from .label_operations import LabelOperations
from .label_queue import LabelQueue
from .label_records import (
    AnnotationRecord,
    AnnotationState,
    Applied,
    Change,
    InvalidOperation,
    LabelConflict,
    Operation,
    OperationRecord,
    Progress,
    Purpose,
    SegmentContent,
    Skip,
    VersionedSegment,
    WaitingLabelling,
)
from .records import (
    CheckRecord,
    CheckValue,
    Decision,
    ErasureRecord,
    Event,
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
    "MOST_SEGMENTS",
    "Agreed",
    "AnnotationRecord",
    "AnnotationState",
    "Annotations",
    "Annotator",
    "Applied",
    "Attributes",
    "Belongings",
    "Catalog",
    "Change",
    "CheckRecord",
    "CheckValue",
    "Decision",
    "ErasureRecord",
    "Erasures",
    "Event",
    "GoldRecord",
    "InvalidOperation",
    "LabelConflict",
    "LabelOperations",
    "LabelQueue",
    "Operation",
    "OperationRecord",
    "Progress",
    "Purpose",
    "Reason",
    "RecordingRecord",
    "ReviewLease",
    "ReviewRecord",
    "Reviews",
    "SegmentContent",
    "SegmentRecord",
    "Skip",
    "StoredTask",
    "TrajectoryRecord",
    "Verdict",
    "VersionedSegment",
    "WaitingLabelling",
    "WaitingReview",
]
