"""Commands of robotics teams and those who publish to them: publish, versions, diff, bench."""

from __future__ import annotations

import getpass
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinesphere.errors import InvalidInput
from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import print_json, print_table, say

if TYPE_CHECKING:
    from kinesphere.versions.manifests import Version
MOST_CHANGES_SHOWN = 1000
"""A table of all changes between two large versions would take longer to lay out than to find."""


class EpisodesFrom(StrEnum):
    """What becomes an episode."""

    segments = "segments"
    recordings = "recordings"


class Tracks(StrEnum):
    """Which tracks are published."""

    smooth = "smooth"
    raw = "raw"


class SamplingOption(StrEnum):
    """How windows are drawn."""

    pool = "pool"
    random = "random"


class VideoShown(StrEnum):
    """Which video goes with a dataset."""

    raw = "raw"
    blurred = "blurred"
    none = "none"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command()(publish)
    app.command()(versions)
    app.command()(diff)
    bench = typer.Typer(no_args_is_help=True, help="Measure your own disks and network.")
    bench.command("stream")(bench_stream)
    app.add_typer(bench, name="bench")


def publish(
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    where: Annotated[str | None, typer.Option(help="Only these episodes, e.g. \"label = 'pour'\".")] = None,
    episodes: Annotated[
        EpisodesFrom, typer.Option(help="One episode a segment, or a recording.")
    ] = EpisodesFrom.segments,
    tracks: Annotated[Tracks | None, typer.Option(help="Only smoothed or raw tracks.", show_default="newest")] = None,
    video: Annotated[
        VideoShown | None,
        typer.Option(
            help="As recorded, with the head hidden, or none. Needs consent to share_video.",
            show_default="raw if --needs names share_video, else none",
        ),
    ] = None,
    needs: Annotated[
        str, typer.Option(help="Consent that every recording needs: train, share_keypoints, share_video, with commas.")
    ] = "train,share_keypoints",
    max_share: Annotated[
        float | None, typer.Option(help="Refuse if a contributor has more than this share of the hours, e.g. 0.2.")
    ] = None,
    min_effective: Annotated[
        float | None, typer.Option(help="Refuse below this effective number of contributors (inverse Simpson).")
    ] = None,
    trim: Annotated[bool, typer.Option("--trim", help="Leave episodes out until --max-share holds.")] = False,
    splits: Annotated[
        str | None, typer.Option(help="Split by contributor, e.g. train=0.8,validation=0.1,test=0.1.")
    ] = None,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Publish the accepted recordings as the next version of a dataset."""
    from annotate.agreement.measured_agreement import for_manifest
    from annotate.checks.task_criteria import effective_criteria
    from kinesphere.splits import parse_splits
    from storage.publishing.publish import publish as publish_version
    from storage.publishing.publish_rules import Consents, PublishRules
    from storage.recordings.consent_scopes import checked_scopes
    from studio.commands.operators.blur import BYSTANDERS, blur_all

    rules = PublishRules(
        needs=checked_scopes(part.strip() for part in needs.split(",")),
        max_share=max_share,
        min_effective=min_effective,
        trim=trim,
        splits=parse_splits(splits, salt=name) if splits else None,
    )
    left_out: list[Consents] = []
    with opened(workspace) as place:
        version = publish_version(
            place,
            name,
            where=where,
            episodes=episodes.value,
            tracks=tracks.value if tracks else None,
            video=video.value if video else None,
            rules=rules,
            on_left_out=left_out.append,
            created_by=getpass.getuser(),
            before_writing=lambda recordings: (
                blur_all(place, recordings, quiet=as_json) if video is VideoShown.blurred else None
            ),
            agreement=for_manifest(place.catalog),
            effective_criteria=effective_criteria,
        )
        location = place.dataset_location(name)
    if as_json:
        without = dict(left_out[-1].left_out) if left_out else {}
        print_json({"location": location, "is_new": version.is_new, "left_out": without, "manifest": version.manifest})
        return
    counts = version.manifest["counts"]
    news = "Published" if version.is_new else "Nothing has changed since"
    say(f"{news} {name}@{version.number}: {counts['episodes']} episodes, {counts['frames']} frames.")
    if left_out:
        say(f"Left out for want of consent: {left_out[-1].told}.")
    for split, part in version.manifest["diversity"].get("splits", {}).items():
        say(f"Split {split}: {part['contributors']} contributors, {part['episodes']} episodes.")
    if video is VideoShown.blurred:
        say(BYSTANDERS)
    say(f'Read it with: kinesphere.open_dataset("{location}", version={version.number})')


def versions(
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """List the versions of a dataset."""
    from kinesphere.versions.manifests import list_versions, read_manifest

    with opened(workspace) as place:
        found = [read_manifest(place.objects, name, number) for number in list_versions(place.objects, name)]
    if as_json:
        print_json([version.manifest for version in found])
        return
    columns = ["version", "created (UTC)", "episodes", "frames", "where", ""]
    print_table(f"Versions of {name}", columns, [_line(version) for version in found])


def _line(version: Version) -> tuple[object, ...]:
    """What the list of versions says of one."""
    manifest = version.manifest
    if version.is_withdrawn:
        heir = manifest["replaced_by"]
        return version.number, "", "", "", "", "withdrawn" + (f"; see {heir}" if heir else "")
    note = ", ".join(f"{key} {value}" for key, value in manifest.get("erasure", {}).items() if key != "receipt")
    counts = manifest["counts"]
    where = manifest["where"] or ""
    return version.number, manifest["created_at"][:19], counts["episodes"], counts["frames"], where, note


def diff(
    before: Annotated[str, typer.Argument(help="NAME@N, the version to compare from.")],
    after: Annotated[str, typer.Argument(help="NAME@N, or NAME for the newest.")],
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Say what changed between two versions of a dataset."""
    from kinesphere.versions.version_difference import compare_versions

    (name, old), (other, new) = parse_dataset(before), parse_dataset(after)
    if name != other:
        raise InvalidInput(f"'{before}' and '{after}' are versions of two datasets; give two of one")
    with opened(workspace) as place:
        found = compare_versions(place.objects, name, old, new)
    if as_json:
        print_json(found)
        return
    say(f"From {name}@{found.before} to {name}@{found.after}\n")
    changes = [(episode, "added", "") for episode in found.added]
    changes += [(episode, "removed", "") for episode in found.removed]
    changes += [(episode, "other frames", "") for episode in found.moved]
    for change in found.relabelled:
        news = (f"{column}: {change.before[column] or '-'} > {change.after[column] or '-'}" for column in change.after)
        changes.append((change.episode, "relabelled", ", ".join(news)))
    shown = changes[:MOST_CHANGES_SHOWN]
    print_table(f"Episodes: {len(changes)} changes", ["episode", "change", "labels"], shown)
    if len(shown) < len(changes):
        say(f"{len(changes) - len(shown)} more changes are not shown; --json gives all.\n")
    for title, hours in (("task", found.hours_by_task), ("contributor", found.hours_by_contributor)):
        rows = [
            (key, f"{change.before:.3f}", f"{change.after:.3f}", f"{change.after - change.before:+.3f}")
            for key, change in hours.items()
        ]
        print_table(f"Hours by {title}", [title, "before", "after", "change"], rows)


def bench_stream(
    dataset: Annotated[str, typer.Argument(help="NAME, or NAME@N for one version.")],
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to read.")] = 10.0,
    window: Annotated[int, typer.Option(min=1, help="Frames in a window.")] = 64,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows in a batch.")] = 256,
    keys: Annotated[str, typer.Option(help='Arrays, with commas; "video" is one too. All arrays by default.')] = "",
    video_size: Annotated[str, typer.Option(help="Scale video to HEIGHTxWIDTH, such as 224x224.")] = "",
    cache: Annotated[Path | None, typer.Option(help="Keep what is read in this folder.")] = None,
    sampling: Annotated[SamplingOption, typer.Option(help="From pools, or at random from all.")] = SamplingOption.pool,
    workspace: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast windows of a dataset stream from where it lies."""
    from kinesphere.dataset import open_dataset
    from kinesphere.streaming.stream_speed import DTYPES, measure_stream

    name, number = parse_dataset(dataset)
    size = parse_size(video_size)
    with opened(workspace) as place:
        location = place.dataset_location(name)
    opened_dataset = open_dataset(location, number, cache=cache)
    measured = [
        measure_stream(
            opened_dataset,
            dtype=dtype,
            window=window,
            batch_size=batch_size,
            seconds=seconds / 2,
            keys=keys.replace(" ", "").split(",") if keys else None,
            video_size=size,
            sampling=sampling.value,
        )
        for dtype in DTYPES
    ]
    if as_json:
        print_json(measured)
        return
    rows = [
        (speed.dtype, f"{speed.windows_per_second:,.0f}", f"{speed.windows_per_cpu_second:,.0f}",
         f"{speed.megabytes_per_second:,.0f}", f"{speed.first_batch_seconds:.2f} s",
         f"{speed.memory_bound_bytes / 2**20:,.0f} MB", f"{speed.requests_per_1000_windows:,.1f}")
        for speed in measured
    ]  # fmt: skip
    columns = ["dtype", "windows/s", "windows/CPU-s", "MB/s", "first batch after", "memory at most",
               "requests/1,000 windows"]  # fmt: skip
    print_table(f"Streaming {name}@{opened_dataset.version}, windows of {window} frames", columns, rows)


def parse_size(text: str) -> tuple[int, int] | None:
    """Split `HEIGHTxWIDTH`; nothing where there is no text.

    Raises:
        InvalidInput: it is not of this form.
    """
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if text and match is None:
        raise InvalidInput(f"'{text}' is no size; write HEIGHTxWIDTH, such as 224x224")
    return (int(match[1]), int(match[2])) if match else None


def parse_dataset(text: str) -> tuple[str, int | None]:
    """Split `NAME@N` into name and version; no `@N` means the newest.

    Raises:
        InvalidInput: what follows the `@` is not a version's number.
    """
    match = re.fullmatch(r"([^@]+)(?:@([1-9]\d{0,8}))?", text)
    if match is None:
        raise InvalidInput(f"'{text}' names no version; write NAME for the newest, or NAME@3")
    return match[1], int(match[2]) if match[2] else None
