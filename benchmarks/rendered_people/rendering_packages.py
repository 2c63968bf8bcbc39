"""What rendering needs beside the application: packages that are in none of its locks, for they serve only this."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kinesphere.errors import MissingDependency

INSTALL = "pip install --no-deps --require-hashes -r requirements/rendering.txt"
"""How to install them; PyTorch, which anny needs too, comes with `make test`."""


@contextmanager
def needs_rendering() -> Iterator[None]:
    """Turn a failed import inside the block into an error that says what to install.

    Yields:
        Nothing; the block runs.

    Raises:
        MissingDependency: a package is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingDependency(
            f"rendering people needs more packages ({error}); install them with: {INSTALL}"
        ) from error
