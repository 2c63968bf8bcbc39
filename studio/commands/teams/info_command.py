"""The command `info`: what is in a version of a dataset, for people and for machines."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened, parse_dataset
from studio.commands.output import print_json, print_table, progress, say

if TYPE_CHECKING:
    from kinesphere.objects.store import Objects
    from kinesphere.statistics.statistics import ArrayStatistics, Statistics
    from kinesphere.versions.manifests import Version
    from kinesphere.versions.version_summary import Amount, VersionSizes, VersionSummary

MOST_ROWS = 20
"""The longest list that is shown to people; --json has all."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(info)


def info(
    dataset: Annotated[str, typer.Argument(help="NAME, or NAME@N for one version.")],
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Also the sizes of shards and videos: some requests for each of them.")
    ] = False,
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics",
            help="Also the statistics of all numbers and the bits of `valid`: read from beside the version, "
            "else found by reading all of its arrays, and put there.",
        ),
    ] = False,
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Say what is in a version of a dataset. Only its manifest and its table of episodes are read."""
    from kinesphere.versions.manifests import read_episodes, read_version
    from kinesphere.versions.version_summary import measure_sizes, summarise

    name, number = parse_dataset(dataset)
    with opened(folder) as workspace:
        version = read_version(workspace.objects, name, number)
        episodes = read_episodes(workspace.objects, version)
        summary = summarise(episodes)
        measured = measure_sizes(workspace.objects, version, episodes) if sizes else None
        found, reason = _statistics(workspace.objects, version, quiet=as_json) if statistics else (None, "")
    if as_json:
        content: dict[str, Any] = {**version.manifest, **asdict(summary)}
        if not len(episodes):
            content["found"] = None
        if measured is not None:
            content["sizes"] = measured
        if found is not None:
            content["statistics"] = {**found.to_json(), "is_stored": found.is_stored}
        print_json(content)
        return
    _print_summary(version, summary)
    if measured is not None:
        _print_sizes(measured)
    if found is not None:
        _print_statistics(found, reason)


def _statistics(objects: Objects, version: Version, *, quiet: bool) -> tuple[Statistics, str]:
    """The statistics and, if they could not be kept, the reason."""
    from kinesphere.dataset import Dataset
    from kinesphere.errors import NotFound

    opened_dataset = Dataset(objects, version)
    try:
        return opened_dataset.statistics(compute=False), ""
    except NotFound:
        pass
    with warnings.catch_warnings(record=True) as warned, progress("Reading arrays", None, quiet=quiet) as show:
        warnings.simplefilter("always")
        found = opened_dataset.statistics(on_progress=lambda done, total: show(done, total))
    return found, " ".join(str(warning.message) for warning in warned)


def _print_summary(version: Version, summary: VersionSummary) -> None:
    manifest = version.manifest
    say(f"{version.dataset}@{version.number}, published {manifest['created_at'][:19]} UTC"
        f"{' by ' + manifest['created_by'] if manifest['created_by'] else ''}")  # fmt: skip
    say(f"Parent: {manifest['parent'] or 'none'}. Episodes where: {manifest['where'] or 'all'}.\n")
    counts = manifest["counts"]
    rows = [("hours", f"{summary.total.hours:,.3f}")]
    rows += [(name, f"{counts[name]:,}") for name in ("episodes", "frames")]
    rows.append(("frames, each once", f"{summary.distinct_frames:,}"))
    rows += [(name, f"{counts[name]:,}") for name in ("recordings", "contributors", "tasks", "shards")]
    rows += _diversity_rows(manifest)
    rows.append(("video", manifest.get("video", "raw")))
    print_table("What is in it", ["", "amount"], rows)
    for title, amounts in (
        ("Tasks", summary.by_task),
        ("Labels", summary.by_label),
        ("Contributors", summary.by_contributor),
    ):
        _print_amounts(title, title.lower().removesuffix("s"), amounts)
    _print_agreement(manifest.get("agreement", {}))
    if not summary.total.episodes:
        return
    quality = [(f"frames with {part.replace('_', ' ')}", f"{share:.1%}") for part, share in summary.found.items()]
    rates = summary.frame_rates
    if rates is not None:
        shown = f"{rates.least:.2f} to {rates.greatest:.2f}, median {rates.median:.2f}"
        quality.append(("frames a second", shown))
    for title, amounts in (
        ("scale", summary.by_scale),
        ("picture", summary.by_image_size),
        ("extractor", summary.by_extractor),
    ):
        quality += [(f"{title} {key}", f"{amount.hours:,.3f} hours") for key, amount in list(amounts.items())[:5]]
    print_table("Quality", ["", "amount"], quality)


def _diversity_rows(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What its contributors are worth, what it was consented to, and its splits; of older versions little is known."""
    rows = []
    diversity = manifest.get("diversity", {})
    if diversity:
        people = diversity["contributors"]
        worth = f"{people['effective_shannon']:.2f} (Shannon), {people['effective_simpson']:.2f} (Simpson)"
        rows.append(("effective contributors", worth))
        rows.append(("hours by the top 10 %", f"{people['top_10_percent_share']:.1%}"))
    if "needs" in manifest:
        rows.append(("consented to", ", ".join(manifest["needs"])))
    for split, part in diversity.get("splits", {}).items():
        rows.append((f"split {split}", f"{part['contributors']} contributors, {part['episodes']} episodes"))
    return rows


def _print_agreement(agreement: Mapping[str, Any]) -> None:
    """How well annotators agreed when it was published, of the version's tasks and tracks. Pairs are in --json."""
    shown = {"frame_iou": "IoU", "f1_50": "F1@50", "edit": "edit", "boundary_median": "edges", "alpha": "alpha"}
    rows = [
        (
            task["task"],
            track["track"],
            f"{track['recordings']:,}",
            *(_estimate(track["measures"].get(name)) for name in shown),
        )
        for task in agreement.get("tasks", ())
        for track in task["tracks"]
    ]
    if rows:
        columns = ["task", "track", "recordings", *shown.values()]
        print_table("Agreement of annotators, with 95 % intervals (edges: median, in frames)", columns, rows)


def _estimate(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return "-"
    ends = "" if estimate["low"] is None else f" ({estimate['low']:.2f} to {estimate['high']:.2f})"
    return f"{estimate['value']:.2f}{ends}"


def _print_amounts(title: str, column: str, amounts: Mapping[str, Amount]) -> None:
    rows = [
        (key or "(none)", f"{amount.hours:,.3f}", f"{amount.episodes:,}", f"{amount.frames:,}")
        for key, amount in list(amounts.items())[:MOST_ROWS]
    ]
    print_table(title, [column, "hours", "episodes", "frames"], rows)
    if len(amounts) > MOST_ROWS:
        say(f"... and {len(amounts) - MOST_ROWS:,} more; --json has all.")


def _print_sizes(sizes: VersionSizes) -> None:
    rows = [
        ("shards", f"{sizes.shards:,}", f"{sizes.shard_bytes / 1e6:,.1f}", f"{sizes.shard_bytes_a_frame:,.0f}"),
        ("videos", f"{sizes.videos:,}", f"{sizes.video_bytes / 1e6:,.1f}", f"{sizes.video_bytes_a_frame:,.0f}"),
    ]
    print_table("Sizes", ["", "number", "MB", "bytes a frame"], rows)
    if sizes.videos_missing:
        say(f"Videos that are not in the workspace: {sizes.videos_missing:,}.")


def _print_statistics(statistics: Statistics, reason: str) -> None:
    bits = [
        (bit, f"{frames:,}", f"{frames / max(statistics.frames, 1):.1%}") for bit, frames in statistics.valid.items()
    ]
    print_table("Bits of valid", ["bit", "frames", "share"], bits)
    rows = [row for name, values in statistics.arrays.items() for row in _ranges(name, values, statistics.frames)]
    columns = ["array", "present", "minimum", "1 %", "99 %", "maximum"]
    print_table("Statistics: the range of each coordinate over all landmarks", columns, rows)
    say("They lie beside the version. Each number: open_dataset(...).statistics()" if statistics.is_stored else reason)


def _ranges(name: str, values: ArrayStatistics, frames: int) -> list[tuple[str, ...]]:
    """A row for each coordinate, or one where there are none."""
    import numpy as np

    names = {
        3: ("x", "y", "z"),
        6: ("x", "y", "z", "rx", "ry", "rz"),
        7: ("x", "y", "z", "qw", "qx", "qy", "qz"),
    }.get(values.mean.shape[-1], ("",))
    rows = []
    for place, coordinate in enumerate(names):
        of_it = (..., slice(None)) if coordinate == "" else (..., place)
        present = values.count[of_it].max() / max(frames, 1)
        ends = [
            end(numbers[of_it][~np.isnan(numbers[of_it])], initial=start)
            for end, numbers, start in (
                (np.min, values.minimum, np.inf),
                (np.min, values.percentiles[1], np.inf),
                (np.max, values.percentiles[99], -np.inf),
                (np.max, values.maximum, -np.inf),
            )
        ]
        shown = (f"{end:.4f}" if np.isfinite(end) else "-" for end in ends)
        rows.append((f"{name} {coordinate}".strip(), f"{present:.1%}", *shown))
    return rows
