"""The catalog: the truth about people, tasks, states, segments and reviews, in SQLite or PostgreSQL."""

from .accounts import Account, Accounts, Role
from .attributes import Attributes
from .audit import Audit, AuditEntry
from .catalog import Catalog
from .erasures import Belongings, Erasures
from .invitations import Invitation, Invitations
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
from .sign_ins import ApiToken, SignIns, WebSession

__all__ = [
    "Account",
    "Accounts",
    "ApiToken",
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
    "GoldRecord",
    "Invitation",
    "Invitations",
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
