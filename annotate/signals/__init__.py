"""Signals: what a timeline and a player draw of a trajectory.

`trajectory_reader.py` reads a trajectory in blocks. `signals.py` makes of it the curves under a timeline, with a
pyramid of minima and maxima so that every zoom is quick; `skeletons.py` packs the landmarks that the player draws
over the video.
"""
