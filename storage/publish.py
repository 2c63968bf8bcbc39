"""Publishing: the accepted recordings of a workspace become the episodes of a dataset's next version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from .errors import Conflict, InvalidInput, KinesphereError
from .names import checked_name

if TYPE_CHECKING:
    from .catalog import RecordingRecord, SegmentRecord, TrajectoryRecord
    from .objects import Objects
    from .publish_rules import Consents, PublishRules
    from .versions import Version
    from .workspace import Workspace

VideoShown = Literal["raw", "blurred", "none"]
EpisodesFrom = Literal["segments", "recordings"]
Tracks = Literal["smooth", "raw"]


def publish(
    workspace: Workspace,
    dataset: str,
    *,
    where: str | None = None,
    episodes: EpisodesFrom = "segments",
    tracks: Tracks | None = None,
    created_by: str = "",
    video: VideoShown | None = None,
    rules: PublishRules | None = None,
    on_left_out: Callable[[Consents], None] = lambda consents: None,
    before_writing: Callable[[Sequence[str]], None] | None = None,
) -> Version:
    """Write the next version of a dataset. No array is copied: a version points into shards.

    Args:
        where: an expression over the episode columns, e.g. `label = 'pour' and body_share > 0.9`.
        episodes: with "segments", a labelled recording gives one episode a segment and an unlabelled one enters
            whole; with "recordings", every recording enters whole, without labels.
        tracks: only trajectories that were smoothed, or that were not; else the newest of each recording.
        video: which video readers of the version may be shown; it needs consent to that. By default raw if
            `rules.needs` names `share_video`, else none.
        rules: the consent that each recording needs, limits, splits; see `PublishRules` for what is asked by default.
        on_left_out: told how many accepted recordings may not enter for want of consent, and why.
        before_writing: called with the ids of the recordings that enter; if it raises, nothing is published.

    Raises:
        Conflict: no recording is accepted yet, none has such tracks or is consented to, or a limit does not hold.
        InvalidInput: the expression cannot be read, or matches nothing.
    """
    import pyarrow as pa

    from .episodes import EPISODE_SCHEMA
    from .publish_rules import Consents, PublishRules, with_video
    from .versions import write_version
    from .where import where_expression
    from .withdrawn_versions import withdraw_version

    checked_name("dataset", dataset)
    rules = with_video(rules or PublishRules(), video)
    if video is None:
        video = "raw" if "share_video" in rules.needs else "none"
    wanted, consents = _Tracks(workspace.objects, tracks), Consents(rules.needs)
    rows = [
        row
        for recording, trajectory, segments in workspace.catalog.publishable(wanted)
        if consents.cover(recording)
        for row in _episodes(recording, trajectory, segments if episodes == "segments" else ())
    ]
    if not rows and wanted.refused:
        other = "none" if tracks == "raw" else "smooth"
        raise Conflict(f"no accepted recording has {tracks} tracks; make them with: process --again --filter {other}")
    if consents.left_out:
        on_left_out(consents)
    if not rows and consents.left_out:
        raise Conflict(
            f"no accepted recording is consented to as {dataset} needs ({', '.join(rules.needs)}): {consents.told}; "
            "ask for less with --needs and --video none, or record with that consent"
        )
    if not rows:
        raise Conflict("there is no accepted recording to publish; see: kinesphere status")
    table = pa.Table.from_pylist(rows, schema=EPISODE_SCHEMA)
    if where is not None:
        table = table.filter(where_expression(where))
        if table.num_rows == 0:
            raise InvalidInput(f'--where "{where}" matches none of the {len(rows)} episodes; nothing was published')
    table = rules.applied(dataset, table)
    recordings = table["recording"].unique().to_pylist()
    if before_writing is not None:
        before_writing(recordings)
    version = write_version(workspace.objects, dataset, table, where=where, created_by=created_by, video=video,
                            rules=rules.to_manifest())  # fmt: skip
    if not version.is_new or not workspace.catalog.left(recordings):
        return version
    # An erasure that had looked through the versions before this one was there counts on us to take it back.
    try:
        again = publish(
            workspace,
            dataset,
            where=where,
            episodes=episodes,
            tracks=tracks,
            created_by=created_by,
            video=video,
            rules=rules,
            on_left_out=on_left_out,
            before_writing=before_writing,
        )
    except KinesphereError:
        withdraw_version(workspace.objects, version, replaced_by=None)
        raise
    withdraw_version(workspace.objects, version, replaced_by=again.number)
    return again


class _Tracks:
    """Says of a trajectory whether it is wanted; each extractor's settings are read once, from one of its shards."""

    def __init__(self, objects: Objects, tracks: Tracks | None) -> None:
        self._objects = objects
        self._tracks = tracks
        self._known: dict[str, Tracks] = {}
        self.refused = 0

    def __call__(self, trajectory: TrajectoryRecord) -> bool:
        if self._tracks is None:
            return True
        from .shards import Shard

        if trajectory.extractor not in self._known:
            settings = Shard(self._objects, trajectory.shard).attributes["extractor"]["settings"]
            self._known[trajectory.extractor] = "smooth" if settings.get("filter") == "smooth" else "raw"
        is_wanted = self._known[trajectory.extractor] == self._tracks
        self.refused += not is_wanted
        return is_wanted


def _episodes(
    recording: RecordingRecord, trajectory: TrajectoryRecord, segments: tuple[SegmentRecord, ...]
) -> Iterator[dict[str, Any]]:
    whole = {
        "episode": recording.recording,
        "recording": recording.recording,
        "contributor": recording.contributor,
        "task": recording.task,
        "task_version": recording.task_version,
        "shard": trajectory.shard,
        "first_frame": trajectory.first_frame,
        "length": trajectory.length,
        "start_ns": 0,
        "end_ns": recording.duration_ns,
        "frame_rate": recording.frame_rate,
        "scale": trajectory.scale,
        "extractor": trajectory.extractor,
        "body_share": trajectory.body_share,
        "left_hand_share": trajectory.left_hand_share,
        "right_hand_share": trajectory.right_hand_share,
        "image_width": recording.width,
        "image_height": recording.height,
    }
    if not segments:
        yield whole
    for segment in segments:
        yield whole | {
            "episode": f"{recording.recording}/{segment.segment}",
            "first_frame": trajectory.first_frame + segment.start_frame,
            "length": segment.end_frame - segment.start_frame,
            "start_ns": segment.start_ns,
            "end_ns": segment.end_ns,
            "track": segment.track,
            "label": segment.label,
            "object": segment.object,
            "outcome": segment.outcome,
        }
