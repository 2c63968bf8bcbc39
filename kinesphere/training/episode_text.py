"""Text in batches: labels and instructions of the episode that each window is of, for policies that take language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinesphere.errors import InvalidInput
from kinesphere.streaming.window_index import Integers
from kinesphere.versions.episode_table import EPISODE_SCHEMA
from kinesphere.versions.open_version import OpenVersion

OF_TASKS = ("title", "instructions")
"""What the manifest says of each task."""
COLUMNS = tuple(field.name for field in EPISODE_SCHEMA if pa.types.is_string(field.type))


@dataclass(frozen=True, eq=False)
class EpisodeText:
    """Texts of all episodes of a version, each of which is kept once."""

    texts: Mapping[str, NDArray[np.str_]]
    """By name, each text once."""
    places: Mapping[str, NDArray[np.int32]]
    """By name, for each row of `episodes`, which of them it has."""

    @classmethod
    def of(cls, version: OpenVersion, names: Sequence[str]) -> EpisodeText:
        """Read some texts of a version.

        Args:
            version: that has the episodes.
            names: text columns of `episodes`, or "title" and "instructions" of their tasks.

        Returns:
            The texts, empty where there is none.

        Raises:
            InvalidInput: there is no such column, or the version was published without the texts of its tasks.
        """
        checked_texts(names)
        texts, places = {}, {}
        for name in names:
            values = _of_tasks(version, name) if name in OF_TASKS else version.select([name])[1][name].combine_chunks()
            coded = values.fill_null("").dictionary_encode()
            texts[name] = np.array(coded.dictionary.to_pylist(), np.str_)
            places[name] = coded.indices.to_numpy().astype(np.int32)
        return cls(texts, places)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        return sum(array.nbytes for array in (*self.texts.values(), *self.places.values()))

    def of_rows(self, rows: Integers) -> dict[str, NDArray[Any]]:
        """The texts of some episodes.

        Args:
            rows: int64 `[B]`, rows of `episodes`.

        Returns:
            Arrays of text `[B]` by name.
        """
        return {name: texts[self.places[name][rows]] for name, texts in self.texts.items()}


def checked_texts(names: Any) -> tuple[str, ...]:
    """Return names of texts as a tuple.

    Args:
        names: of texts.

    Returns:
        The same, in their order.

    Raises:
        InvalidInput: this is no list of them.
    """
    known = (*OF_TASKS, *COLUMNS)
    if isinstance(names, str) or not all(name in known for name in names) or len({*names}) != len(names):
        raise InvalidInput(f"text should be a list of some of {', '.join(known)}, each once; got {names!r}")
    return tuple(names)


def _of_tasks(version: OpenVersion, name: str) -> pa.Array:
    said: Mapping[str, Mapping[str, str]] = version.manifest.get("tasks", {})
    _, columns = version.select(["task", "task_version"])
    texts = []
    for task, number in zip(columns["task"].to_pylist(), columns["task_version"].to_pylist(), strict=True):
        found = said.get(f"{task}@{number}")
        if found is None:
            raise InvalidInput(
                f"{version.name}@{version.version} does not say the {name} of task {task}@{number}, as versions "
                "of kinesphere before 0.2 do not; publish it again, or stream text=['label', 'task']"
            )
        texts.append(found[name])
    return pa.array(texts, pa.string())
