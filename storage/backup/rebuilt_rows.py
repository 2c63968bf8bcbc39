"""Tasks and segments of a rebuilt catalog, put together from what recordings and versions say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from storage.backup.left_beside import FoundTrajectory, FoundVersion
from storage.recordings.recording import RecordingFile, State
from storage.recordings.segment import TRACKS, Segment
from storage.tasks.criteria import Criteria
from storage.tasks.task import Labels, Task

_LOST = "(This text was lost with the catalog. Add the task's file again: kinesphere task add FILE.toml)"


@dataclass(frozen=True)
class RebuiltTask:
    """One version of a task."""

    task: Task
    version: int
    created_at: datetime
    is_whole: bool
    """Whether its file was given; else only criteria and labels are known, as far as versions name them."""


@dataclass(frozen=True)
class RebuiltSegment:
    """A segment as a version has it."""

    segment: str
    recording: str
    created_at: datetime
    content: Segment


def tasks_of(
    descriptions: Iterable[RecordingFile], versions: Sequence[FoundVersion], given: Sequence[Task]
) -> list[RebuiltTask]:
    """The tasks that recordings were made under, and those whose files were given.

    A file stands for each version whose consent text is the same, word for word; if none is, it is the next version.

    Args:
        descriptions: of all recordings.
        versions: newest first.
        given: tasks as their files say.
    """
    first: dict[tuple[str, int], datetime] = {}
    consents: dict[tuple[str, int], set[str]] = {}
    for description in descriptions:
        key = description.task, description.task_version
        first[key] = min(first.get(key, description.created_at), description.created_at)
        consents.setdefault(key, set()).add(description.consent.text_sha256)
    made, used = list[RebuiltTask](), set[int]()
    for (name, version), at in sorted(first.items()):
        fitting = [
            place
            for place, task in enumerate(given)
            if task.name == name and task.consent_sha256 in consents[name, version]
        ]
        used |= set(fitting)
        task = given[fitting[-1]] if fitting else _placeholder(name, version, versions)
        made.append(RebuiltTask(task, version, at, bool(fitting)))
    for place, task in enumerate(given):
        if place not in used:
            newest = max((row.version for row in made if row.task.name == task.name), default=0)
            made.append(RebuiltTask(task, newest + 1, datetime.now(UTC), True))
    return made


def _placeholder(name: str, version: int, versions: Sequence[FoundVersion]) -> Task:
    criteria, seen = Criteria(), dict[str, set[str]](label=set(), object=set(), outcome=set())
    for found in reversed(versions):
        said = found.version.manifest.get("criteria", {}).get(f"{name}@{version}")
        if said is not None:
            criteria = _criteria(said["thresholds"]) or criteria
        for rows in found.episodes.values():
            for row in rows:
                if (row["task"], row["task_version"]) == (name, version):
                    for column, values in seen.items():
                        values |= {row[column]} - {None}
    labels = Labels(
        verbs=tuple(sorted(seen["label"])),
        objects=tuple(sorted(seen["object"])),
        outcomes=tuple(sorted(seen["outcome"])) or Labels().outcomes,
    )
    return Task(name=name, title=name, instructions=_LOST, consent=_LOST, criteria=criteria, labels=labels)


def _criteria(thresholds: Mapping[str, Any]) -> Criteria | None:
    try:
        return Criteria.model_validate(thresholds)
    except ValidationError:
        return None  # of another release


def segments_of(
    versions: Sequence[FoundVersion], trajectories: Sequence[FoundTrajectory], states: Mapping[str, State]
) -> list[RebuiltSegment]:
    """The labels that versions hold: of each recording as the newest version without a condition has them.

    Newer versions with a condition may lack some, so what they have is added to what that one has.

    Args:
        versions: newest first.
        trajectories: by which frames in shards become frames of recordings.
        states: by recording that is known.
    """
    first_frame = {(one.record.recording, one.record.shard): one.record.first_frame for one in trajectories}
    found: dict[str, RebuiltSegment] = {}
    settled = set[str]()
    for version in versions:
        for recording, rows in version.episodes.items():
            labelled = [row for row in rows if row["label"] is not None and "/" in row["episode"]]
            if recording not in states or recording in settled or not labelled:
                continue
            for row in labelled:
                segment, begins = row["episode"].split("/", 1)[1], first_frame.get((recording, row["shard"]))
                if begins is not None:
                    content = _content(row, row["first_frame"] - begins)
                    found.setdefault(segment, RebuiltSegment(segment, recording, version.created_at, content))
            if version.version.manifest.get("where") is None:
                settled.add(recording)
    return list(found.values())


def _content(row: Mapping[str, Any], start_frame: int) -> Segment:
    return Segment(
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        label=row["label"],
        track=row["track"] or TRACKS[0],
        object=row["object"],
        outcome=row["outcome"],
        start_frame=start_frame,
        end_frame=start_frame + row["length"],
    )
