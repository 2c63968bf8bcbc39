"""The disk of a life: small, so that it can be full; and, where lives have power cuts, one that forgets what was not
flushed: ext4 on a loop device, shut down without its log, as `tests/e2e/test_power_cut.py` does it too."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CUT = 77
"""Exit code of a process whose power was cut."""
_SIZE = "48m"
_ATTEMPTS = 20
_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN."""
_WITHOUT_LOG = 2
"""EXT4_GOING_FLAGS_NOLOGFLUSH: what the log was not made to keep is lost."""
_OPTIONS = "noauto_da_alloc,commit=600"
"""Nothing is flushed that was not asked for: without these, ext4 flushes some of it by itself, as others do not."""


@dataclass(frozen=True)
class LifeDisk:
    """A file system of a life's own, mounted at `folder`; in memory, or in the file `image`."""

    folder: Path
    image: Path | None = None
    device: str = ""
    """The loop device of the image: one for the whole life, for one that is let go of goes when the kernel likes."""

    @classmethod
    def on_device(cls, folder: Path, image: Path) -> LifeDisk | None:
        """An empty ext4 file system on a loop device, which may be had by root on Linux; None elsewhere."""
        with image.open("wb") as file:
            file.truncate(int(_SIZE[:-1]) << 20)
        if os.geteuid() != 0 or shutil.which("losetup") is None or shutil.which("mkfs.ext4") is None:
            return None
        attached = subprocess.run(["losetup", "-f", "--show", str(image)], check=False, capture_output=True, text=True)
        if attached.returncode:
            return None
        device = attached.stdout.strip()
        subprocess.run(["mkfs.ext4", "-q", "-F", "-J", "size=4", device], check=True, capture_output=True)
        return cls(folder, image, device)

    def mount(self) -> bool:
        """Make it usable; after a power cut the log is read. Says whether it could be: root may, on Linux."""
        if os.geteuid() != 0 or shutil.which("mount") is None:
            return False
        kind = ["-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs"] if self.image is None else ["-o", _OPTIONS, self.device]
        return subprocess.run(["mount", *kind, str(self.folder)], check=False, capture_output=True).returncode == 0

    def unmount(self) -> None:
        """Let go of it, also where something still uses it."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False)
        if self.device:
            subprocess.run(["losetup", "-d", self.device], check=False)

    def fill(self, bytes_left: int) -> None:
        """Let it have so much room and no more; less, where a server writes meanwhile."""
        with (self.folder / "ballast").open("wb") as ballast:
            for _ in range(_ATTEMPTS):
                free = shutil.disk_usage(self.folder).free
                with contextlib.suppress(OSError):  # what was free a moment ago is not any more
                    os.posix_fallocate(ballast.fileno(), 0, max(1, free - bytes_left))
                    return

    def free(self) -> None:
        """Let it have all its room again."""
        (self.folder / "ballast").unlink(missing_ok=True)

    def cut_power(self) -> None:
        """Lose all that was not flushed. Whoever uses it only gets errors from then on."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            self._shut_down(descriptor)
        finally:
            os.close(descriptor)

    def power_cut(self) -> Callable[[], None]:
        """What cuts the power and ends the process that calls it; made in that process before it begins."""
        descriptor = os.open(self.folder, os.O_RDONLY)

        def cut() -> None:
            self._shut_down(descriptor)
            os._exit(CUT)

        return cut

    def come_back(self) -> None:
        """Start the computer again: nobody uses the disk any more, and it is mounted anew.

        Raises:
            subprocess.CalledProcessError: something still uses it.
        """
        subprocess.run(["umount", str(self.folder)], check=True, capture_output=True)
        assert self.mount(), f"{self.folder} cannot be mounted after a power cut"

    def _shut_down(self, descriptor: int) -> None:
        around = self.folder.parent.stat().st_dev
        assert os.fstat(descriptor).st_dev != around, "this is no disk of a life's own, but the computer's"
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_LOG))
