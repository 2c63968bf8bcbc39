"""What must hold at the end of every life: each invariant is a function that names what broke."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.faults.forked_steps import Tell
from benchmarks.faults.life_steps import DATASET, check_numbers, opened
from benchmarks.faults.places import Place
from kinesphere.errors import KinesphereError
from kinesphere.objects.store import Objects, file_sha256
from kinesphere.shards.shard import Shard, shard_key
from kinesphere.versions.manifests import list_datasets, list_versions, read_episodes, read_manifest
from kinesphere.video.video_keys import video_key
from storage.catalog import Event
from storage.catalog.state_machine import ALLOWED
from storage.erasure.erasure_check import find_traces
from storage.inspection.leftovers import repair
from storage.inspection.workspace_inspection import inspect
from storage.recordings.recording import State
from storage.workspace import Workspace
from studio.pipeline.withdrawal import remaining_fingerprints

_GONE = (State.WITHDRAWN, State.ERASED)


@dataclass
class Ledger:
    """What people were told, and what they began; no fault reaches it."""

    told: list[tuple[str, ...]] = field(default_factory=list)
    erasing: set[str] = field(default_factory=set)
    """Contributors whose erasure was begun, whether it was confirmed or not."""

    def of(self, word: str) -> list[tuple[str, ...]]:
        """All that was told with a word, without it."""
        return [line[1:] for line in self.told if line[0] == word]

    @property
    def withdrawing(self) -> set[tuple[str, str]]:
        """Where the taking back of a recording was begun, and its id, whether it was confirmed or not."""
        return {(where, recording) for where, recording in self.of("withdrawing")}

    def is_to_go(self, recording: str) -> bool:
        """Whether somebody has asked for it to go, so that it need not be here."""
        contributors = {name: contributor for _, name, contributor, _ in self.of("recorded")}
        return recording in {name for _, name in self.withdrawing} or contributors.get(recording) in self.erasing


Broken = Iterator[str]


def confirmed_and_whole(place: Place, ledger: Ledger) -> Broken:
    """What was handed in is there, every byte of it; what was recorded is there or handed in."""
    submitted = {recording for (recording,) in ledger.of("submitted")}
    with opened(place.far) as far, opened(place.near) as near:
        for where, recording, _, sha256 in ledger.of("recorded"):
            if ledger.is_to_go(recording):
                continue
            own = near if where == "near" else far
            try:
                row = own.catalog.recording(recording)
            except KinesphereError as error:
                yield f"recorded {recording} is not in the catalog any more: {error}"
                continue
            if row.state is State.DRAFT:
                file = own.drafts / recording / "video.mp4"
                if recording in submitted:
                    yield f"{recording} was confirmed as submitted and is a draft"
                elif not file.is_file() or file_sha256(file) != sha256:
                    yield f"the draft {recording} is gone or changed"
            else:
                yield from _whole(far, recording, sha256)


def _whole(far: Workspace, recording: str, sha256: str) -> Broken:
    try:
        row = far.catalog.recording(recording)
        content = far.objects.get(video_key(recording))
    except KinesphereError as error:
        yield f"submitted {recording} is lost: {error}"
        return
    if row.state is State.DRAFT:
        yield f"submitted {recording} is a draft at the server"
    if hashlib.sha256(content).hexdigest() != sha256:
        yield f"the video of {recording} has {len(content)} other bytes than were recorded"


def processed_and_published(place: Place, ledger: Ledger) -> Broken:
    """Nothing waits any more, each published version is whole, and its numbers are those that were extracted."""
    with opened(place.far) as far:
        for row in far.catalog.recordings(State.SUBMITTED):
            yield f"{row.recording} still waits to be processed: it stops the line"
        numbers = list_versions(far.objects, DATASET) if DATASET in list_datasets(far.objects) else []
        for (published,) in ledger.of("published"):
            if int(published) not in numbers:
                yield f"published version {published} is gone"
        for number in numbers:
            yield from _version_whole(far.objects, number)
        accepted = far.catalog.recordings(State.ACCEPTED)
    try:
        if not check_numbers(place) and accepted:
            yield f"{len(accepted)} recordings are accepted, and the newest version holds nothing"
    except (AssertionError, KinesphereError) as error:
        yield f"the newest version cannot be read as it was extracted: {error}"


def _version_whole(objects: Objects, number: int) -> Broken:
    version = read_manifest(objects, DATASET, number)
    if version.is_withdrawn:
        return
    for shard in sorted(set(read_episodes(objects, version)["shard"].to_pylist())):
        try:
            for name, said in Shard(objects, shard).attributes["objects"].items():
                if hashlib.sha256(objects.get(f"{shard_key(shard)}/{name}")).hexdigest() != said["sha256"]:
                    yield f"{name} of shard {shard} in version {number} is not what was written"
        except KinesphereError as error:
            yield f"shard {shard} of version {number} cannot be read: {error}"


def legal_states(place: Place, ledger: Ledger) -> Broken:
    """Each life is one that the state machine allows, and ends where the row is; each event says who and why."""
    for folder in (place.near, place.far):
        with opened(folder) as workspace:
            for row in workspace.catalog.recordings():
                events = workspace.catalog.events(row.recording)
                if row.state is not State.ERASED:  # of which only the end is kept
                    yield from _legal(row.recording, events)
                if not events or events[-1].to_state is not row.state:
                    yield f"{row.recording} is {row.state} and its last event says otherwise"
                for event in events:
                    if not event.who or (
                        not event.why and event.to_state not in (State.DRAFT, State.SUBMITTED, *_GONE)
                    ):
                        yield f"{row.recording} became {event.to_state} and nobody says who or why"


def _legal(recording: str, events: list[Event]) -> Broken:
    before: State | None = None
    for event in events:
        is_try = event.from_state is event.to_state and event.to_state in (State.SUBMITTED, State.FLAGGED)
        if event.from_state is not before or not (
            is_try or (event.to_state is State.DRAFT if before is None else event.to_state in ALLOWED[before])
        ):
            yield f"{recording} became {event.to_state} from {event.from_state} when it was {before}"
        before = event.to_state


def nothing_of_the_erased(place: Place, ledger: Ledger) -> Broken:
    """Of contributors who were erased, and of recordings that were taken back, nothing is left."""
    with opened(place.far) as far, opened(place.near) as near:
        for contributor in sorted(ledger.erasing):
            yield from (f"of erased {contributor}: {t.where}: {t.what}" for t in find_traces(far, contributor))
        yield from (f"the index of duplicates finds {name}, which has left" for name in remaining_fingerprints(far))
        for where, recording in sorted(ledger.withdrawing):
            for workspace in (near, far) if where == "near" else (far,):
                yield from _nothing_of(workspace, recording)


def _nothing_of(workspace: Workspace, recording: str) -> Broken:
    name = workspace.folder.name
    rows = {row.recording: row for row in workspace.catalog.recordings()}
    if recording not in rows:
        return
    if rows[recording].state is not State.ERASED:
        yield f"{recording} was taken back and is {rows[recording].state} in {name}"
    for key in workspace.objects.keys(f"recordings/{recording}"):
        yield f"{recording} was taken back and {key} is left in {name}"
    if (workspace.drafts / recording).exists():
        yield f"{recording} was taken back and its draft is left in {name}"


def doctor_is_content(place: Place, ledger: Ledger) -> Broken:
    """`doctor --deep` finds nothing, once `--repair` has removed what killed processes left a while ago."""
    later = time.time() + 3600
    time.time = lambda: later  # what is left is quiet by then
    for folder in (place.near, place.far):
        with opened(folder) as workspace:
            repair(workspace)
            for problem in inspect(workspace, deep=True).problems:
                yield f"doctor --deep of {folder.name}: {problem.what} {problem.words}"


INVARIANTS: Mapping[str, Callable[[Place, Ledger], Broken]] = {
    "confirmed and whole": confirmed_and_whole,
    "processed and published": processed_and_published,
    "legal states, explained events": legal_states,
    "nothing of the erased": nothing_of_the_erased,
    "doctor is content": doctor_is_content,
}


def broken_invariants(place: Place, ledger: Ledger, tell: Tell) -> None:
    """Tell of everything that does not hold."""
    os.environ["COLUMNS"] = "300"
    for name, invariant in INVARIANTS.items():
        for words in invariant(place, ledger):
            tell("broken", name, words)
