"""Extractors by name, as `process --extractor` takes them.

A new extractor is one file: a class that is an `Extractor`, a function that is an `OpenExtractor`, and an entry point
of the group `kinesphere.extractors` that names the function. In a package's `pyproject.toml`:

    [project.entry-points."kinesphere.extractors"]
    vitpose = "acme_extractors:open_vitpose"
"""

from __future__ import annotations

from collections.abc import Mapping

from pose.extractors.extractor import DEFAULT, Extractor, ExtractorOptions, OpenExtractor
from pose.extractors.mediapipe_extractor import open_mediapipe
from pose.extractors.rtmw_extractor import open_rtmw
from pose.networks.models import OnFetch
from storage.extension_points import ExtensionPoint

BUILT_IN: Mapping[str, OpenExtractor] = {DEFAULT: open_mediapipe, "rtmw": open_rtmw}
EXTRACTORS = ExtensionPoint("extractor", "kinesphere.extractors", BUILT_IN)


def open_extractor(name: str, options: ExtractorOptions, on_fetch: OnFetch | None = None) -> Extractor:
    """Open an extractor by its name.

    Args:
        name: `mediapipe`, `rtmw`, or that of an installed one.
        options: what the operator chose.
        on_fetch: told in one line before a model is downloaded.

    Returns:
        The extractor, ready to extract.

    Raises:
        NotFound: there is no such extractor; the message lists those there are.
        InvalidInput: the package that adds it cannot be loaded, or a model is of the wrong kind.
        MissingDependency, StorageFailed, CorruptObject: a model could not be fetched.
    """
    return EXTRACTORS.load(name)(options, on_fetch)
