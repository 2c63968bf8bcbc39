"""How near trajectories are to the truth, on rendered people: `python -m benchmarks.accuracy`.

`estimate.py` is what was found in a clip, in the units of the truth; `plain_loop.py` makes one of MediaPipe's two
landmarkers alone, `evaluation.py` one of an extractor. `clip_errors.py` compares it with the truth, a number for each
measure that `measures.py` lists, and `coverage.py` counts how often stated intervals hold it. `summary.py` makes
tables over clips, `fairness.py` tables by group of people, `error_card.py` a page about one extractor, and
`worst_frames.py` pictures.
"""
