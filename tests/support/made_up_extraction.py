"""What an extraction gives of a made-up trajectory: networks would take minutes where they are not the point."""

from __future__ import annotations

from annotate.duplicates.change_fingerprint import ChangeFingerprint
from annotate.duplicates.fingerprint import Fingerprint
from annotate.duplicates.motion_fingerprint import motion_fingerprint
from annotate.duplicates.video_fingerprint import VideoFingerprint
from kinesphere.trajectory import Trajectory
from storage.catalog import CheckRecord, TrajectoryRecord
from storage.recordings.recording import State
from storage.shards.shard_writer import ShardRecord
from studio.pipeline.extraction import Extracted


def made_up_extraction(
    recording: str, made: Trajectory, shard: ShardRecord, look: VideoFingerprint, check: CheckRecord
) -> Extracted:
    """The extraction of a recording by one check: accepted if it passes, flagged if not.

    Args:
        recording: its id.
        made: its trajectory.
        shard: the shard that holds the trajectory and nothing else.
        look: what the index of duplicates keeps of its pictures.
        check: the only one.
    """
    frames = len(made)
    return Extracted(
        recording=recording,
        state=State.ACCEPTED if check.verdict == "pass" else State.FLAGGED,
        why="made up",
        checks=(check,),
        trajectory=TrajectoryRecord(recording, shard.extractor_id, shard.shard_id, 0, frames, "relative", 1, 1, 1),
        frames=frames,
        frames_with_body=frames,
        hands_found=0,
        shard_bytes=shard.size_bytes,
        damaged_ns=(),
        fingerprint=Fingerprint(look, motion_fingerprint(made), ChangeFingerprint.none()).to_bytes(),
    )
