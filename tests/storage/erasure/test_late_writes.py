"""Who fails to enter a recording deletes nothing that somebody else may have written and be about to enter."""

from __future__ import annotations

import pytest

from kinesphere.errors import Conflict, StorageFailed
from kinesphere.video.video_keys import video_key
from storage.erasure.late_writes import undone_if_departed
from storage.workspace import Workspace
from tests.support.populated_workspaces import describe, populate


@pytest.mark.parametrize("failure", [StorageFailed("no space left on device"), Conflict("entered already")])
@pytest.mark.parametrize("is_entered", [False, True])
def test_what_another_process_writes_of_the_same_recording_stays(
    workspace: Workspace, failure: StorageFailed | Conflict, is_entered: bool
) -> None:
    populate(workspace, {"anna": 0})
    description = describe("anna", seed=1)
    key = video_key(description.recording)
    with pytest.raises(type(failure)), undone_if_departed(workspace, description.recording, "anna"):
        workspace.objects.put(key, b"the same video")  # by the one who will succeed
        if is_entered:
            workspace.catalog.add_recording(description, who="anna")
        raise failure
    assert workspace.objects.get(key) == b"the same video"


@pytest.mark.parametrize("how", ["withdrawn", "never enrolled"])
def test_what_comes_after_its_contributor_has_left_goes_again(workspace: Workspace, how: str) -> None:
    populate(workspace, {"anna": 0})
    contributor = "anna" if how == "withdrawn" else "nobody"
    description = describe(contributor, seed=1)
    with pytest.raises(Conflict), undone_if_departed(workspace, description.recording, contributor):
        workspace.objects.put(video_key(description.recording), b"video")
        if how == "withdrawn":
            workspace.catalog.add_recording(description, who="anna")
            workspace.catalog.withdraw(description.recording, who="anna", why="asked")
        raise Conflict("it is no draft")
    assert not workspace.objects.keys("recordings")
