"""Proposals: where segments may begin and end, and what their labels may be.

How segments are proposed: `postures.py` describes the posture of each track ten times a second, `change_points.py`
finds where it changes for good, and `neighbours.py` which segments that were labelled before move alike.
`proposals.py` puts these together. `motion_minima.py` finds the pauses that edges snap to. Trajectories are read in
blocks, by `annotate/signals/trajectory_reader.py`, so hours of them take little memory.
"""
