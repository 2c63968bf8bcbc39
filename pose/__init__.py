"""Pose: a recording becomes a trajectory of body and hands.

How a frame becomes landmarks: `extractors/mediapipe_extractor.py` reads a video once and hands each frame to two
threads.

The body's thread (`tracking/followed_person.py`) follows one person. The detector (`networks/detectors.py`) looks at
the whole picture now and then and sees everybody; the landmark network (`networks/landmark_networks.py`) looks at
every frame, but only at the region where that person is.

The hands' thread (`tracking/hands.py`) looks at that body's wrists and where the hands were a moment ago, and for
palms in the whole picture where there is no body. `tracking/sides.py` tells left from right.

`networks/network.py` runs each network without the parts whose results nobody reads. `tracking/track_collector.py`
collects what is found, `tracking/filtering.py` and `tracking/kalman.py` smooth it, `geometry/wrist.py` derives the
poses of the wrists, and `geometry/metric.py` turns model lengths into metres where a true length is known.
"""
