"""A studio's workspace in which there is some of everything, and people of every role, for tests of who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from annotate.labels.labelling import Labelling
from storage.catalog import Accounts, Annotator, CheckRecord, Invitations, Role, SignIns
from storage.publishing.publish import publish
from storage.recordings.recording import State
from storage.tasks.task import Labels
from storage.workspace import Workspace, create_workspace
from tests.support.label_page import LABELS, add_labelled
from tests.support.playable_recordings import add_played
from tests.support.studio_server import TOKEN, Studio, new_account, running_studio
from tests.support.video_clips import make_clip

DARK = CheckRecord("brightness", 20.0, 40.0, 10.0, "doubt", "it is dark (20 of 255)", ((0, 500_000_000),))


@dataclass(frozen=True)
class Filled:
    """What there is."""

    accepted: str
    """A recording of contributor c001, with a trajectory, which anna labels."""
    flagged: str
    """One of contributor c002, which waits for a reviewer."""
    annotation: str
    tokens: dict[str, str]
    """Of each person: carla (contributor c001), carlo (c002), anna (annotator), rosa (reviewer), otto (operator),
    dora (who was an operator and is disabled), tim (whose token of an operator has expired), olivia (at the
    server's computer)."""
    dora_session: str
    """Of dora's browser, from before she was disabled."""

    def ids(self) -> dict[str, list[str]]:
        """What parts of addresses may be."""
        return {
            "recording": [self.accepted, self.flagged],
            "annotation": [self.annotation],
            "task": ["move"],
            "name": ["move"],
            "check": ["brightness"],
            "dataset": ["kitchen"],
            "plot": ["contributors", "handedness"],
            "account": ["anna", "dora"],
            "change": ["enable"],
            "code_sha256": ["0" * 64],
            "token_sha256": ["0" * 64],
            "upload": ["0" * 32],
        }


def fill(workspace: Workspace, folder: Path, *, labels: Labels = LABELS) -> Filled:
    """Put some of everything into a workspace."""
    clip = make_clip(folder / "filling.mp4", frames=30)
    accepted = add_labelled(workspace, clip, contributor="c001", checks=(DARK,), labels=labels)
    flagged = add_played(workspace, clip, seed=1, contributor="c002", state=State.FLAGGED, checks=(DARK,))
    tokens = {
        "carla": new_account(workspace, "carla", Role.CONTRIBUTOR, contributor="c001"),
        "carlo": new_account(workspace, "carlo", Role.CONTRIBUTOR, contributor="c002"),
        "anna": new_account(workspace, "anna", Role.ANNOTATOR),
        "rosa": new_account(workspace, "rosa", Role.REVIEWER),
        "otto": new_account(workspace, "otto", Role.OPERATOR),
        "dora": new_account(workspace, "dora", Role.OPERATOR),
        "olivia": TOKEN,
    }
    sign_ins = SignIns(workspace.catalog)
    past = SignIns(workspace.catalog, clock=lambda: sign_ins.clock() - timedelta(days=2))
    Accounts(workspace.catalog).add("tim", [Role.OPERATOR], who="olivia")
    tokens["tim"] = past.new_token("tim", "old", who="olivia", valid_for=timedelta(days=1))
    session = sign_ins.begin_session("dora")
    Accounts(workspace.catalog).disable("dora", who="olivia")
    Invitations(workspace.catalog).invite({Role.ANNOTATOR}, who="otto")
    publish(workspace, "kitchen", created_by="olivia")
    begun, _ = Labelling(workspace).annotations.begin(accepted, Annotator("anna", None, False), "label")
    return Filled(accepted, flagged, begun.annotation, tokens, session)


@contextmanager
def running_filled(folder: Path) -> Iterator[tuple[Studio, Filled]]:
    """A studio with something of everything, whose streams of events end at once."""
    workspace = create_workspace(folder / "workspace")
    content = fill(workspace, folder)
    with pytest.MonkeyPatch.context() as patch, running_studio(workspace) as studio:
        patch.setattr("studio.web.labelling.label_events._ENDS_AFTER", 0.0)
        yield studio, content
    workspace.catalog.close()
