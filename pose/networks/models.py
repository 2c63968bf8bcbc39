"""The networks that find body and hands, and the demo's clip: pinned by sha256, fetched once into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from kinesphere.errors import CorruptObject, InvalidInput, StorageFailed
from pose.networks.bundles import build_bundle, read_bundle, with_normalization
from pose.networks.pinned_wheels import fetch_members


@dataclass(frozen=True)
class Model:
    """A MediaPipe `.task` bundle on disk, and the sha256 of each network in it: what decides its results."""

    path: Path
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class _Network:
    """One member of a bundle: where it comes from and the hashes before and after metadata was added."""

    name: str
    source: str
    source_sha256: str
    sha256: str


@dataclass(frozen=True)
class _Bundle:
    file: str
    networks: tuple[_Network, ...]

    @property
    def names(self) -> list[str]:
        return [network.name for network in self.networks]


# Google's own wheel, Apache-2.0; later ones hold no networks.
_MODELS_WHEEL, _MODELS_PLATFORM = "mediapipe==0.10.21", "manylinux_2_28_x86_64"
_POSE_DETECTOR = "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"
_PALM_DETECTOR = "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54"
_HAND_LANDMARKS = "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3"
_POSE_BUNDLE = _Bundle(
    "mediapipe-0.10.21-pose_landmarker_full.task",
    (
        _Network(
            "pose_detector.tflite",
            "mediapipe/modules/pose_detection/pose_detection.tflite",
            _POSE_DETECTOR,
            _POSE_DETECTOR,
        ),
        _Network(
            "pose_landmarks_detector.tflite",
            "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
            "6046e73b3484a06233dabd2c214e120e574c564de3b8980c797003bd697c6854",
        ),
    ),
)
_HAND_BUNDLE = _Bundle(
    "mediapipe-0.10.21-hand_landmarker_full.task",
    (
        _Network(
            "hand_detector.tflite",
            "mediapipe/modules/palm_detection/palm_detection_full.tflite",
            _PALM_DETECTOR,
            _PALM_DETECTOR,
        ),
        _Network(
            "hand_landmarks_detector.tflite",
            "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
            _HAND_LANDMARKS,
            _HAND_LANDMARKS,
        ),
    ),
)
# A person at whole-body distance and a passer-by: 230 frames, VP9, 1768x994 (a width that is no multiple of 16), BSD-3.
_CLIP_WHEEL, _CLIP_MEMBER = "sports2d==0.8.34", "Sports2D/Demo/demo.mp4"
_CLIP_SHA256 = "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039"

OnFetch = Callable[[str], None]
"""Told in one line what is about to be downloaded; not called when the cache has it."""


def pose_model(path: Path | None = None, *, on_fetch: OnFetch | None = None) -> Model:
    """The body model: a `.task` bundle of the user's own, or else MediaPipe's pose landmarker, full.

    Args:
        path: the user's own bundle; by default MediaPipe's from the cache, fetched if it is not there.
        on_fetch: told in one line before something is downloaded.

    Returns:
        The model.

    Raises:
        InvalidInput: `path` is no bundle with a pose detector and a pose landmarks detector.
        MissingDependency, StorageFailed, CorruptObject: the default could not be fetched, see `fetch_members`.
    """
    return _model(path, _POSE_BUNDLE, on_fetch)


def hand_model(path: Path | None = None, *, on_fetch: OnFetch | None = None) -> Model:
    """The hand model: a `.task` bundle of the user's own, or else MediaPipe's hand landmarker, full.

    Args:
        path: the user's own bundle; by default MediaPipe's from the cache, fetched if it is not there.
        on_fetch: told in one line before something is downloaded.

    Returns:
        The model.

    Raises:
        InvalidInput: `path` is no bundle with a hand detector and a hand landmarks detector.
        MissingDependency, StorageFailed, CorruptObject: the default could not be fetched, see `fetch_members`.
    """
    return _model(path, _HAND_BUNDLE, on_fetch)


def fetch_clip(*, on_fetch: OnFetch | None = None) -> Path:
    """A real clip to try things on: one person, whole body, 230 frames (Sports2D's demo, BSD-3-Clause).

    Args:
        on_fetch: told in one line before it is downloaded.

    Returns:
        Where it is in the cache.

    Raises:
        MissingDependency, StorageFailed, CorruptObject: it could not be fetched, see `fetch_members`.
    """
    clip = cache_folder() / "sports2d-0.8.34-demo.mp4"
    if not _has_sha256(clip, _CLIP_SHA256):
        with _fetching(clip.parent) as folder:
            if not _has_sha256(clip, _CLIP_SHA256):
                _announce(on_fetch, f"fetching the demo clip ({_CLIP_WHEEL}, 9 MB) from the package index")
                content = fetch_members(_CLIP_WHEEL, {_CLIP_MEMBER: _CLIP_SHA256}, folder)[_CLIP_MEMBER]
                _put(clip, content, folder)
    return clip


def cache_folder() -> Path:
    """Where fetched files are kept: `KINESPHERE_CACHE`, or the user's cache folder of this system."""
    chosen = os.environ.get("KINESPHERE_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else user_cache_path("kinesphere")


def _model(path: Path | None, bundle: _Bundle, on_fetch: OnFetch | None) -> Model:
    if path is not None:
        return Model(path, read_bundle(path, bundle.names))
    folder = cache_folder()
    model = _cached(folder, bundle)
    if model is None:
        with _fetching(folder) as work_folder:
            model = _cached(folder, bundle)
            if model is None:
                _announce(on_fetch, f"fetching the pose models ({_MODELS_WHEEL}, 36 MB) from the package index")
                _fetch_models(folder, work_folder)
                model = _cached(folder, bundle)
    if model is None:
        raise CorruptObject(f"{folder / bundle.file} was written but reads back wrong; check the disk")
    return model


def _cached(folder: Path, bundle: _Bundle) -> Model | None:
    """The model in the cache, if it is there and every network in it is the pinned one."""
    try:
        hashes = read_bundle(folder / bundle.file, bundle.names)
    except InvalidInput:
        return None
    pinned = {network.name: network.sha256 for network in bundle.networks}
    return Model(folder / bundle.file, hashes) if hashes == pinned else None


def _fetch_models(folder: Path, work_folder: Path) -> None:
    """Build both bundles from one download."""
    networks = [*_POSE_BUNDLE.networks, *_HAND_BUNDLE.networks]
    sources = {network.source: network.source_sha256 for network in networks}
    contents = fetch_members(_MODELS_WHEEL, sources, work_folder, _MODELS_PLATFORM)
    for bundle in (_POSE_BUNDLE, _HAND_BUNDLE):
        members = {network.name: _prepared(network, contents[network.source]) for network in bundle.networks}
        _put(folder / bundle.file, build_bundle(members), work_folder)


def _prepared(network: _Network, content: bytes) -> bytes:
    if network.sha256 == network.source_sha256:
        return content
    prepared = with_normalization(content)
    found = hashlib.sha256(prepared).hexdigest()
    if found != network.sha256:
        raise CorruptObject(
            f"{network.name} came out with sha256 {found[:12]}..., not the pinned {network.sha256[:12]}...; "
            "this release of flatbuffers writes other bytes: install flatbuffers==25.12.19"
        )
    return prepared


def _has_sha256(path: Path, expected: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == expected
    except OSError:
        return False


def _put(path: Path, content: bytes, work_folder: Path) -> None:
    """Write a file whole or not at all; `work_folder` is on the same disk."""
    partial = work_folder / path.name
    partial.write_bytes(content)
    partial.replace(path)


@contextmanager
def _fetching(folder: Path) -> Iterator[Path]:
    """Hold the cache's lock, with an empty folder to work in: of two processes that need a file, one fetches it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "fetch.lock"):
            work_folder = folder / "fetching"
            shutil.rmtree(work_folder, ignore_errors=True)  # of a process that was killed
            work_folder.mkdir()
            try:
                yield work_folder
            finally:
                shutil.rmtree(work_folder, ignore_errors=True)
    except StorageFailed:
        raise
    except OSError as error:
        raise StorageFailed(
            f"cannot write the cache folder {folder}: {error.strerror or error}; "
            "free some space, or set KINESPHERE_CACHE to a folder that can be written"
        ) from error


def _announce(on_fetch: OnFetch | None, message: str) -> None:
    if on_fetch is not None:
        on_fetch(message)
