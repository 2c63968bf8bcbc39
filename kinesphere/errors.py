"""Every error that kinesphere raises on purpose, grouped by what the person who meets it would do next.

KinesphereError
├── InvalidInput (ValueError)        mend the argument, the name or the file you gave
│   ├── InvalidTask                  mend the task file
│   └── InvalidVideo                 give another video: this one cannot be read
├── NotFound (LookupError)           the thing named does not exist; the message lists what does
├── Withdrawn                        people took back what it held; use what the message names instead
├── Conflict                         the thing exists, but its state does not allow this
├── NewerFormat                      upgrade kinesphere: the data was written by a later release
├── CorruptObject                    restore the object named from a copy
├── StorageFailed (OSError)          the disk or the object store refused; free space, check the connection
└── MissingDependency (ImportError)  install what the message says
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any


class KinesphereError(Exception):
    """Base of all errors of this project; its text is one line that a user can act on."""

    def __reduce__(self) -> tuple[Any, ...]:
        # An error may come from another process; those that compose their message cannot be made anew from it.
        return _rebuilt, (type(self), self.args)


def _rebuilt(kind: type[KinesphereError], arguments: tuple[Any, ...]) -> KinesphereError:
    error = kind.__new__(kind)
    error.args = arguments
    return error


class InvalidInput(KinesphereError, ValueError):
    """Something the user gave cannot be used."""


class InvalidTask(InvalidInput):
    """A task file does not say what it must."""


class InvalidVideo(InvalidInput):
    """A video cannot be read: not a video, truncated, empty, or without a video stream."""


class NotFound(KinesphereError, LookupError):
    """A thing that was named does not exist."""

    def __init__(self, kind: str, name: str, known: list[str] | None = None, hint: str = "") -> None:
        message = f"no {kind} named '{name}'"
        if known is not None:
            shown = ", ".join(sorted(known)[:10]) + (", ..." if len(known) > 10 else "")
            message += f" (there is: {shown})" if known else f" (there is no {kind} yet)"
        super().__init__(message + (f"; {hint}" if hint else ""))


class Withdrawn(KinesphereError):
    """A recording, or a version of a dataset, that is not there any more, because people took recordings back."""


class Conflict(KinesphereError):
    """A thing exists already, or its state does not allow what was asked."""


class NewerFormat(KinesphereError):
    """Data written by a later release of kinesphere."""

    def __init__(self, what: str, found: object, understood: object) -> None:
        super().__init__(
            f"{what} was written by a newer kinesphere (format {found}; this release reads up to "
            f"{understood}); upgrade kinesphere to open it"
        )


class CorruptObject(KinesphereError):
    """A stored object is missing, damaged, or not what its manifest says."""


class StorageFailed(KinesphereError, OSError):
    """The disk or the object store refused a read or a write."""


class MissingDependency(KinesphereError, ImportError):
    """An optional dependency is not installed, or a system library that it links is absent."""


def _distribution() -> str:
    """The distribution that is installed here: the application carries the reader along, and both have extras."""
    try:
        return metadata.distribution("kinesphere-studio").name
    except metadata.PackageNotFoundError:
        return "kinesphere"


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a failed import inside the block into a `MissingDependency` that names the command to run.

    >>> with needs_extra("pose"):
    ...     import mediapipe

    Args:
        extra: name of the extra, such as "video".

    Yields:
        Nothing; the block runs.

    Raises:
        MissingDependency: a package of the extra, or a system library that it needs, is not installed.
    """
    try:
        yield
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) or ".so" in str(error):
            raise MissingDependency(
                f"a system library is missing ({error}); on Debian or Ubuntu: "
                "apt-get install libegl1 libgles2 libgl1 libglib2.0-0"
            ) from error
        raise MissingDependency(f"{error}; install it with: pip install '{_distribution()}[{extra}]'") from error
