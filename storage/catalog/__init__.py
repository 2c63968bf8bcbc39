"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from storage.catalog.catalog import Catalog
from storage.catalog.erasure_entries import Belongings, Erasures
from storage.catalog.export_entries import Exports
from storage.catalog.labels.annotations import Agreed, Annotations, Annotator
from storage.catalog.labels.label_log import MOST_SEGMENTS
from storage.catalog.labels.label_operations import LabelOperations
from storage.catalog.labels.label_queue import LabelQueue
from storage.catalog.labels.label_records import (
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
from storage.catalog.people.accounts import Account, Accounts, Role
from storage.catalog.people.attributes import Attributes
from storage.catalog.people.audit import Audit, AuditEntry
from storage.catalog.people.invitations import Invitation, Invitations
from storage.catalog.people.sign_ins import ApiToken, SignIns, WebSession
from storage.catalog.records import (
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
from storage.catalog.reviews.reviews import Reviews
from storage.catalog.throughput import Arrivals, Flow, Queue

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
