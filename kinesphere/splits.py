"""Splits of a dataset by contributor: whose episodes are for training, and whose only for testing.

No person is in two splits, so a score on the test split is one on people whom the model has never seen.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.names import checked_name


@dataclass(frozen=True)
class Splits:
    """The rule that puts a contributor into a split: by a hash of their id and the salt, and by nothing else.

    So nobody moves when others come or go; with few contributors a split may be far from its share, or empty.
    """

    shares: tuple[tuple[str, float], ...]
    """Name and share of each split, in an order that matters; the shares add up to 1."""
    salt: str
    """The same salt and shares put the same person into the same split, in every version and dataset."""

    def __post_init__(self) -> None:
        names = [checked_name("split", name) for name, _ in self.shares]
        if len(names) < 2 or len(set(names)) < len(names):
            raise InvalidInput("splits need at least two names, each once, e.g. train=0.8,validation=0.1,test=0.1")
        if not all(0 < share < 1 for _, share in self.shares):
            raise InvalidInput(f"the share of a split lies between 0 and 1; got {self.shares}")
        total = math.fsum(share for _, share in self.shares)
        if abs(total - 1) > 1e-6:
            raise InvalidInput(f"the shares of the splits add up to {total:.4g}; make them 1")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(name for name, _ in self.shares)

    def split_of(self, contributor: str) -> str:
        """The split of a contributor.

        The first 8 bytes of the SHA-256 of `<salt>:<contributor>`, big-endian, over 2^64 give a number from 0 to 1;
        the split is the first up to whose end that number lies, when the shares are laid end to end.

        Args:
            contributor: pseudonymous id.

        Returns:
            Name of the split.
        """
        digest = hashlib.sha256(f"{self.salt}:{contributor}".encode()).digest()
        place, end = int.from_bytes(digest[:8], "big") / 2**64, 0.0
        for name, share in self.shares:
            end += share
            if place < end:
                return name
        return self.shares[-1][0]

    def rows(self, episodes: pa.Table, name: str) -> NDArray[np.int64]:
        """The rows of an episode table that belong to a split.

        Args:
            episodes: a table with the column "contributor".
            name: of the split.

        Returns:
            int64 `[n]`, ascending.

        Raises:
            InvalidInput: there is no split of this name.
        """
        if name not in self.names:
            raise InvalidInput(f"'{name}' is no split; there are {', '.join(self.names)}")
        column = episodes["contributor"].combine_chunks().dictionary_encode()
        chosen = np.array([self.split_of(person) == name for person in column.dictionary.to_pylist()], np.bool_)
        return np.flatnonzero(chosen[column.indices.to_numpy()]) if len(column) else np.zeros(0, np.int64)

    def to_json(self) -> dict[str, Any]:
        """The rule as a manifest holds it; it names nobody.

        Returns:
            What `read_rule` takes.
        """
        return {"by": "contributor", "salt": self.salt, "shares": [[name, share] for name, share in self.shares]}


def parse_splits(text: str, salt: str) -> Splits:
    """Read `train=0.8,validation=0.1,test=0.1`.

    Args:
        text: names with their shares, with commas.
        salt: decides, with the shares, who is in which split.

    Returns:
        The rule.

    Raises:
        InvalidInput: it is not of this form, or the shares do not add up to 1.
    """
    shares = []
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        try:
            shares.append((name.strip(), float(share)))
        except ValueError as error:
            raise InvalidInput(f"'{part}' is no split; write e.g. train=0.8,validation=0.1,test=0.1") from error
    return Splits(tuple(shares), salt)


def splits_of(manifest: Mapping[str, Any]) -> Splits:
    """The rule of a version.

    Args:
        manifest: of the version.

    Returns:
        The rule.

    Raises:
        InvalidInput: the version was published without splits, or by a rule that is not known here.
    """
    rule = manifest.get("splits")
    if rule is None:
        name = f"{manifest['dataset']}@{manifest['number']}"
        raise InvalidInput(f"{name} has no splits; publish one with: --splits train=0.8,validation=0.1,test=0.1")
    return read_rule(rule)


def read_rule(rule: Mapping[str, Any]) -> Splits:
    """A rule as manifests hold it; the inverse of `Splits.to_json`.

    Args:
        rule: what stands in a manifest under "splits".

    Returns:
        The rule.

    Raises:
        InvalidInput: it is of a kind that is not known here.
    """
    if rule.get("by") != "contributor":
        raise InvalidInput(f"the version is split by '{rule.get('by')}', which this release does not know; upgrade")
    return Splits(tuple((str(split), float(share)) for split, share in rule["shares"]), str(rule["salt"]))
