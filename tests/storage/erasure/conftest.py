"""The workspace that people are erased from."""

from __future__ import annotations

import pytest

from storage.workspace import Workspace
from tests.support.kitchens import make_kitchen


@pytest.fixture
def kitchen(workspace: Workspace) -> Workspace:
    """Two versions of "kitchen": one of anna and ben, one of all; and "garden", of anna alone."""
    return make_kitchen(workspace)
