"""Rendered people before virtual cameras, with the truth about every joint: `python -m benchmarks.rendered_people`.

`casting.py` draws a `scene.py` from a seed. `body_shape.py` gets the people's bodies from the package anny;
`motions.py` says what they do, `limbs.py` and `skeleton.py` turn that into bones, and `performance.py` puts a body and
its motion together. `figure.py` dresses them, `room.py` furnishes, `camera_views.py` sets up the cameras,
`rasterizer.py` (with `mesh.py` and `shaders.py`) draws, and `sensor.py` makes a webcam's picture of that.
`landmark_places.py` finds MediaPipe's landmarks on a body, and `truth.py` says where they are before a camera and
which can be seen. `filming.py` does it all for a scene, and `clips.py` keeps what comes of it in the cache.

A scene may have several cameras; they see the same people at the same moments, each with a truth of its own. Lengths
are in metres; the world's z is up and its floor at 0, people who face nobody in particular look along -y.
"""
