"""What to tell a contributor about the picture, in words that they can act on."""

from __future__ import annotations

from capture.live.live_source import View
from storage.tasks.task import Criteria


def advise(view: View, frame_rate: float, criteria: Criteria) -> tuple[str, ...]:
    """What a check would later doubt in the picture as it is now, most important first; empty when all is well.

    Args:
        view: what the camera sees.
        frame_rate: frames a second that really come; 0 where it is not known yet.
    """
    measured, seen = view.measured, view.seen
    advice = []
    if seen is not None and not seen.person:
        advice.append("Nobody is in view: step into the picture.")
    elif seen is not None and seen.hands == 0 and criteria.hands_visible_share.doubt > 0:
        advice.append("Your hands are not in view: hold them where the camera sees them.")
    if measured.brightness < criteria.brightness.doubt:
        advice.append("It is dark: turn on a light, or sit facing the window.")
    clipped = measured.clipped_dark + measured.clipped_bright
    if clipped > criteria.clipped_share.doubt and measured.clipped_bright > measured.clipped_dark:
        advice.append("Much of the picture is pure white: turn the camera away from the window or lamp.")
    elif clipped > criteria.clipped_share.doubt:
        advice.append("Much of the picture is pure black: give it more light.")
    if measured.blur > criteria.blur.doubt or measured.sharpness < criteria.sharpness.doubt:
        advice.append("The picture is blurred: wipe the lens, move back a little, or give it more light.")
    if 0 < frame_rate < criteria.frame_rate.doubt:
        advice.append(f"Only {frame_rate:.0f} frames a second come: more light helps, or closing other programs.")
    return tuple(advice)
