"""A page of the studio as one module declares it: its routes, who may use it, and its entry in the navigation."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter

from kinesphere.errors import InvalidInput
from storage.catalog import Role
from storage.workspace import Workspace
from studio.web.access.credentials import Credentials
from studio.web.contributing.erasure_thread import ErasureThread
from studio.web.monitoring.server_metrics import ServerMetrics
from studio.web.uploads.upload_files import Uploads


@dataclass(frozen=True)
class Studio:
    """What the pages of one running studio share."""

    workspace: Workspace
    credentials: Credentials
    uploads: Uploads
    erasure_thread: ErasureThread
    metrics: ServerMetrics
    recording_locks: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    """By id: held while a recording is taken in, whichever way it comes."""


@dataclass(frozen=True)
class Page:
    """A page, or several that belong together, with what they ask the server for.

    One that an installed package brings is the target of an entry point of the group `kinesphere.pages`.

    Raises:
        InvalidInput: it has a name for the navigation and no path, or a path that is none.
    """

    routes: Callable[[Studio], APIRouter]
    """Makes its routes, once for each studio."""
    roles: tuple[Role, ...] | None = None
    """Whoever has one of these may use all of its routes, and an operator; () is everybody who is signed in. None: each
    route says for itself who may use it."""
    name: str = ""
    """What the navigation calls it; "" if it is not there."""
    path: str = ""
    """Where the navigation leads to, e.g. `/review`."""
    templates: Path | Mapping[str, str] | None = None
    """Its templates, if they are not among the studio's own: the folder they are in, or their texts by name."""

    def __post_init__(self) -> None:
        if self.name and not self.path.startswith("/"):
            raise InvalidInput(f"the page '{self.name}' needs a path that begins with '/'")
