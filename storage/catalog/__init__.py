"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from .accounts import Account, Accounts, Role
from .annotations import Agreed, Annotations, Annotator
from .attributes import Attributes
from .audit import Audit, AuditEntry
from .catalog import Catalog
from .erasures import Belongings, Erasures
from .exports import Exports
from .flow import Arrivals, Flow, Queue
from .invitations import Invitation, Invitations
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
from .sign_ins import ApiToken, SignIns, WebSession

__all__ = [
    "MOST_SEGMENTS",
    "Account",
    "Accounts",
    "Agreed",
    "AnnotationRecord",
    "AnnotationState",
    "Annotations",
    "Annotator",
    "ApiToken",
    "Applied",
    "Arrivals",
    "Attributes",
    "Audit",
    "AuditEntry",
    "Belongings",
    "Catalog",
    "Change",
    "CheckRecord",
    "CheckValue",
    "Decision",
    "ErasureRecord",
    "Erasures",
    "Event",
    "ExportRecord",
    "ExportState",
    "Exports",
    "Flow",
    "GoldRecord",
    "InvalidOperation",
    "Invitation",
    "Invitations",
    "LabelConflict",
    "LabelOperations",
    "LabelQueue",
    "Operation",
    "OperationRecord",
    "Progress",
    "Purpose",
    "Queue",
    "Reason",
    "RecordingRecord",
    "ReviewLease",
    "ReviewRecord",
    "Reviews",
    "Role",
    "SegmentContent",
    "SegmentRecord",
    "SignIns",
    "Skip",
    "StoredTask",
    "TrajectoryRecord",
    "Verdict",
    "VersionedSegment",
    "WaitingLabelling",
    "WaitingReview",
    "WebSession",
]
