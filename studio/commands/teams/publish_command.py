"""The command `publish`: accepted recordings become the next version of a dataset."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from studio.commands.options import HERE, JsonOption, WorkspaceOption, opened
from studio.commands.output import native_logs_aside, print_json, progress, say


class EpisodesFrom(StrEnum):
    """What becomes an episode."""

    segments = "segments"
    recordings = "recordings"


class Tracks(StrEnum):
    """Which tracks are published."""

    smooth = "smooth"
    raw = "raw"


class VideoShown(StrEnum):
    """Which video goes with a dataset."""

    raw = "raw"
    blurred = "blurred"
    none = "none"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(publish)


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
    folder: WorkspaceOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Publish the accepted recordings as the next version of a dataset."""
    from annotate.agreement.measured_agreement import for_manifest
    from annotate.checks.task_criteria import effective_criteria
    from kinesphere.splits import parse_splits
    from storage.publishing.publish import publish as publish_version
    from storage.publishing.publish_rules import ConsentFilter, PublishRules, PublishSettings
    from storage.recordings.consent import checked_scopes
    from studio.pipeline.blurring import BYSTANDERS, blur_all

    rules = PublishRules(
        needs=checked_scopes(part.strip() for part in needs.split(",")),
        max_share=max_share,
        min_effective=min_effective,
        trim=trim,
        splits=parse_splits(splits, salt=name) if splits else None,
    )
    left_out: list[ConsentFilter] = []
    with opened(folder) as workspace:

        def prepare_videos(recordings: Sequence[str]) -> None:
            if video is VideoShown.blurred:
                with native_logs_aside():
                    blur_all(workspace, recordings, progress=partial(progress, quiet=as_json))

        version = publish_version(
            workspace,
            name,
            PublishSettings(
                where=where,
                episodes=episodes.value,
                tracks=tracks.value if tracks else None,
                video=video.value if video else None,
                rules=rules,
            ),
            on_left_out=left_out.append,
            created_by=getpass.getuser(),
            before_writing=prepare_videos,
            agreement=for_manifest(workspace.catalog),
            effective_criteria=effective_criteria,
        )
        location = workspace.dataset_location(name)
    if as_json:
        without = dict(left_out[-1].left_out) if left_out else {}
        print_json({"location": location, "is_new": version.is_new, "left_out": without, "manifest": version.manifest})
        return
    counts = version.manifest["counts"]
    news = "Published" if version.is_new else "Nothing has changed since"
    say(f"{news} {name}@{version.number}: {counts['episodes']} episodes, {counts['frames']} frames.")
    if left_out:
        say(f"Left out for want of consent: {left_out[-1].summary}.")
    for split, part in version.manifest["diversity"].get("splits", {}).items():
        say(f"Split {split}: {part['contributors']} contributors, {part['episodes']} episodes.")
    if video is VideoShown.blurred:
        say(BYSTANDERS)
    say(f'Read it with: kinesphere.open_dataset("{location}", version={version.number})')
