"""What goes wrong with an object, in errors that name it and the place it should be in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from kinesphere.errors import CorruptObject, StorageFailed
from kinesphere.objects.process_state import check_not_forked


@contextmanager
def object_errors(url: str, key: str, *, in_python: bool = False) -> Iterator[None]:
    """Turn what a store or a disk raises into errors of the family, each naming the object concerned.

    Args:
        url: of the place.
        key: of the object, or the prefix of several.
        in_python: whether obstore takes no part in it; else it is refused in a forked process, where obstore hangs.

    Yields:
        Nothing.

    Raises:
        CorruptObject: there is no such object.
        FileExistsError: there is one already.
        StorageFailed: the store or the disk refused.
        InvalidInput: this process was forked from one that had used obstore.
    """
    if not in_python:
        check_not_forked()
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise missing(url, key) from error
    except (AlreadyExistsError, FileExistsError) as error:
        raise FileExistsError(key) from error
    except (BaseError, OSError) as error:
        raise failed(url, key, error) from error


def missing(url: str, key: str) -> CorruptObject:
    """The error of an object that is not there.

    Args:
        url: of the place.
        key: of the object.

    Returns:
        The error, to be raised.
    """
    return CorruptObject(f"object '{key}' is missing in {url}")


def failed(url: str, key: str, error: Exception) -> StorageFailed:
    """The error of an object that a store or a disk refuses.

    Args:
        url: of the place.
        key: of the object.
        error: what obstore or the system raised.

    Returns:
        The error, to be raised; a full disk and missing credentials are told as such.
    """
    advice = first_line(error)
    if "No space left on device" in str(error):
        advice = "no space left on device; free some space and try again"
    elif isinstance(error, PermissionDeniedError | UnauthenticatedError):
        advice = (
            f"the store wants other credentials, or some ({advice}); give them as storage_options or in the "
            "environment, or have those of this machine asked for with storage_options={'instance_credentials': True} "
            "or KINESPHERE_INSTANCE_CREDENTIALS=1"
        )
    return StorageFailed(f"cannot use object '{key}' in {url}: {advice}")


def first_line(error: Exception) -> str:
    """What went wrong, without the dump of internal state that obstore adds.

    Args:
        error: what obstore or the system raised.

    Returns:
        One line.
    """
    return str(error).strip().splitlines()[0]
