"""Sources by what a user types: a camera's name, or `SCHEME:` and what it opens.

A new kind of source is one file: a class that is a `Source`, a function that is an `OpenSource`, and an entry point of
the group `kinesphere.sources` that names the function after the scheme. In a package's `pyproject.toml`:

    [project.entry-points."kinesphere.sources"]
    realsense = "acme_cameras:open_realsense"
"""

from __future__ import annotations

from collections.abc import Mapping

from capture.sources.camera_source import open_camera
from capture.sources.cameras import find_camera, list_cameras, listing
from capture.sources.clip_source import open_clip
from capture.sources.opencv_source import open_opencv
from capture.sources.pattern_source import open_pattern
from capture.sources.source import OpenSource, Source
from kinesphere.errors import InvalidInput
from storage.extension_points import ExtensionPoint
from storage.tasks.task import Criteria

BUILT_IN: Mapping[str, OpenSource] = {"file": open_clip, "opencv": open_opencv, "test": open_pattern}
"""By scheme; what has none is a camera."""
SOURCES = ExtensionPoint("source", "kinesphere.sources", BUILT_IN)


def open_source(text: str, criteria: Criteria | None = None) -> Source:
    """Open a source by what a user types.

    Args:
        text: `test`, `file:CLIP`, a camera's id, name or path, `opencv:NUMBER`, or `SCHEME:REST` of an installed kind.
        criteria: the task's, which a camera is opened in the best mode for; by default those of a task that says
            nothing.

    Returns:
        The source, which its user closes.

    Raises:
        InvalidInput: there is no such camera or clip, or it cannot be used; the message lists what there is.
        InvalidVideo: the clip cannot be read.
    """
    scheme, _, address = text.partition(":")
    if scheme in SOURCES.names():
        return SOURCES.load(scheme)(address, criteria)
    camera = find_camera(text)
    if camera is None:
        raise InvalidInput(
            f"there is no camera '{text}' ({listing(list_cameras())}); 'test' and 'file:CLIP' need none "
            f"(kinds of source: {', '.join(SOURCES.names())})"
        )
    return open_camera(camera, criteria)
