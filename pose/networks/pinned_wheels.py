"""Files taken out of pinned wheels: the package index is the one network that every machine with pip can reach."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from kinesphere.errors import CorruptObject, MissingDependency, StorageFailed


def fetch_members(
    requirement: str, members: Mapping[str, str], folder: Path, platform: str = "any"
) -> dict[str, bytes]:
    """Download one wheel with this Python's pip, from whatever index or mirror it is set up with.

    Args:
        requirement: a pinned requirement, e.g. `mediapipe==0.10.21`.
        members: expected sha256 of each file wanted, by its path in the wheel.
        folder: an empty folder to download into.
        platform: platform tag of the wheel; it need not be this machine's, since nothing in it is run.

    Returns:
        The content of each member.

    Raises:
        MissingDependency: this Python has no pip.
        StorageFailed: pip could not download the wheel; the message ends with pip's reason.
        CorruptObject: the wheel does not hold the members with these hashes.
    """
    wheel = _download(requirement, folder, platform)
    contents = {}
    with zipfile.ZipFile(wheel) as archive:
        for member, expected in members.items():
            try:
                content = archive.read(member)
            except (KeyError, zipfile.BadZipFile) as error:
                raise CorruptObject(f"{wheel.name} from the package index holds no readable {member}") from error
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise CorruptObject(
                    f"{member} in {wheel.name} from the package index has sha256 {found[:12]}..., not the pinned "
                    f"{expected[:12]}...; check the index that pip is set up with"
                )
            contents[member] = content
    return contents


def _download(requirement: str, folder: Path, platform: str) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise MissingDependency(f"pip is needed to fetch {requirement}; install it with: {sys.executable} -m ensurepip")
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", "3.11", "--platform", platform, "--dest", str(folder)]
    command += ["--quiet", "--no-input", "--disable-pip-version-check"]
    finished = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    wheels = list(folder.glob("*.whl"))
    if finished.returncode == 0 and len(wheels) == 1 and zipfile.is_zipfile(wheels[0]):
        return wheels[0]
    lines = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:") and not line.endswith("Exception:")]
    reason = (errors or lines or ["pip gave no reason"])[-1].removeprefix("ERROR: ")  # a traceback's last line names it
    if "No space left on device" in reason:
        raise StorageFailed(f"cannot fetch {requirement}: No space left on device; free some space and try again")
    raise StorageFailed(
        f"cannot fetch {requirement} from the package index ({reason}); "
        "check the connection and pip's settings, then try again"
    )
