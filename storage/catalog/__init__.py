"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from .accounts import Account, Accounts, Role
from .attributes import Attributes
from .audit import Audit, AuditEntry
from .catalog import Catalog
from .erasures import Belongings, Erasures
from .exports import Exports
from .flow import Arrivals, Flow, Queue
from .invitations import Invitation, Invitations
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
    "Account",
    "Accounts",
    "ApiToken",
    "Arrivals",
    "Attributes",
    "Audit",
    "AuditEntry",
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
    "Flow",
    "GoldRecord",
    "Invitation",
    "Invitations",
    "Queue",
    "Reason",
    "RecordingRecord",
    "ReviewLease",
    "ReviewRecord",
    "Reviews",
    "Role",
    "SegmentRecord",
    "SignIns",
    "StoredTask",
    "TrajectoryRecord",
    "Verdict",
    "WaitingReview",
    "WebSession",
]
