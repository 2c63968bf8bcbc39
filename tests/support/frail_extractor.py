"""A package with an extractor that some recordings harm, each in its own way, installed into a folder as pip would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.command import Command
from tests.support.extension_package import SITE, CommandWithExtensions, install_extension

POISON = "KINESPHERE_TEST_POISON"
"""In the environment: a JSON file that says of recordings what they do to the extractor."""
CODE = """
import ctypes, json, os, signal, time
from pathlib import Path

import numpy as np

from kinesphere.trajectory import BASIC_ARRAYS, ExtractorIdentity, Trajectory
from pose.geometry.intrinsics import assumed_intrinsics


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)

def eat():
    held = []
    while True:
        held.append(np.ones(8 << 20, np.uint8))

def sleep():
    time.sleep(600)

def hang():
    ctypes.PyDLL(None).sleep(600)  # holding the interpreter

def stumble():
    raise ValueError("no such column")


class Frail:
    identity = ExtractorIdentity("frail", 1, {}, {})

    def extract(self, video, *, recording, contributor, intrinsics=None, on_frame=None, report=None):
        times = []
        for frame in video.frames():
            on_frame(frame)
            times.append(frame.timestamp_ns)
        kind = json.loads(Path(os.environ["KINESPHERE_TEST_POISON"]).read_text()).get(recording)
        if kind is not None:
            Path(os.environ["KINESPHERE_TEST_POISON"] + "." + recording).write_text(str(os.getpid()))
            globals()[kind]()
        arrays = {name: np.full((len(times), *spec.shape), np.nan, np.float32) for name, spec in BASIC_ARRAYS.items()}
        arrays["timestamp"], arrays["valid"] = np.array(times, np.int64), np.full(len(times), 7, np.uint8)
        arrays["body_visibility"][:] = arrays["hand_score"][:] = 0
        arrays["wrist_pose"][:] = (0, 0, 1, 1, 0, 0, 0)
        size = video.width, video.height
        intrinsics = intrinsics or assumed_intrinsics(*size)
        return Trajectory(recording, contributor, self.identity, *size, "relative", intrinsics, arrays)


def open_frail(options, on_fetch):
    return Frail()

def open_broken(options, on_fetch):
    os.kill(os.getpid(), signal.SIGSEGV)
"""


@dataclass(frozen=True)
class Poison:
    """Which recordings harm the extractor, and how."""

    file: Path

    def set(self, kinds: Mapping[str, str]) -> None:
        """From now on: by recording `crash`, `eat`, `hang`, `sleep` or `stumble`; the others are good."""
        self.file.write_text(json.dumps(kinds))

    def note(self, recording: str) -> Path:
        """The file into which a recording writes the number of its process when it begins to do harm."""
        return Path(f"{self.file}.{recording}")


@dataclass(frozen=True)
class CommandWithPoison(CommandWithExtensions):
    """The command where the extractor is installed in `SITE` beside the workspace, with poison beside it, too."""

    @classmethod
    def prepared(cls, folder: Path) -> CommandWithPoison:
        """In a new workspace in the folder."""
        (folder / SITE).mkdir()
        install_frail_extractor(folder / SITE)
        made = cls(Command.in_new_workspace(folder / "workspace").workspace)
        made.poison.set({})
        return made

    @property
    def poison(self) -> Poison:
        """What the extractor is harmed by."""
        return Poison(self.workspace.parent / "poison.json")

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {POISON: str(self.poison.file)}


def install_frail_extractor(folder: Path) -> Path:
    """Write the package and its metadata; on the path, its extractors `frail` and `broken` are installed."""
    points = {"frail": "open_frail", "broken": "open_broken"}
    return install_extension(folder, "acme-frail", CODE, {"kinesphere.extractors": points})
