"""Writing MP4 files whole or not at all: disk errors in words, stream copies, and putting a file in its place."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinesphere.errors import Conflict, InvalidVideo, KinesphereError, StorageFailed, needs_extra
from kinesphere.objects.local_files import flush_file, flush_folder

TICKS_PER_SECOND = 90_000
"""Time base of the frame times that are written."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of the disk or of FFmpeg inside the block into a `StorageFailed` that names `path`."""
    with needs_extra("capture"):
        from av.error import FFmpegError
    try:
        yield
    except KinesphereError:
        raise
    except OSError as error:
        reason = "no space left on device" if error.errno in _FULL else (error.strerror or str(error)).lower()
        advice = "; free some space and try again" if error.errno in _FULL else ""
        raise StorageFailed(f"cannot write {path}: {reason}{advice}") from error
    except FFmpegError as error:
        raise StorageFailed(f"cannot write {path}: {error.strerror}") from error


def refuse_to_replace(path: Path) -> None:
    """Raise a `Conflict` if `path` exists: a video is never overwritten."""
    if path.exists():
        raise Conflict(f"{path} exists already; choose another name or move it away")


def put_in_place(finished: Path, path: Path) -> None:
    """Give a finished file its name, such that it survives a power cut: `path` is there whole or not at all."""
    with writing(path):
        flush_file(finished)
        refuse_to_replace(path)
        finished.replace(path)
        flush_folder(path.parent)


def copy_stream(source: Path, destination: Path, *, ticks_per_second: int = TICKS_PER_SECOND) -> None:
    """Write the video stream of `source` to an ordinary MP4 whose index comes first, without encoding it again.

    Sound, subtitles and metadata (a phone's position, for instance) are left behind. The first frame shown is at 0.

    Raises:
        StorageFailed: the disk refused.
        InvalidVideo: `source` cannot be read, or an MP4 cannot hold its packets as they are.
    """
    import av
    from av.error import ArgumentError, InvalidDataError

    from kinesphere.video.decoding import opened, packet_stamp

    with opened(source, str(source)) as (container, stream):
        stamps = (stamp for packet in container.demux(stream) if (stamp := packet_stamp(packet)) is not None)
        start = min(stamps, default=None)
    if start is None:
        raise InvalidVideo(f"{source} holds no frame")
    options = {"movflags": "faststart", "video_track_timescale": str(ticks_per_second)}
    with opened(source, str(source)) as (container, stream):
        with writing(destination):
            output = av.open(str(destination), "w", format="mp4", options=options)
        try:
            copied = output.add_stream_from_template(stream)
            copied.metadata.clear()
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None:
                    packet.pts -= start
                    packet.dts = packet.dts - start if packet.dts is not None else None
                    packet.stream = copied
                    with writing(destination):
                        output.mux(packet)
        except StorageFailed as error:
            if isinstance(error.__cause__, ArgumentError | InvalidDataError):
                raise InvalidVideo(f"the packets of {source} cannot be copied") from error
            raise
        finally:
            with writing(destination):
                output.close()
