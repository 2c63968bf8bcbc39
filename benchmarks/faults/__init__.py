"""Whole lives of recordings with everything that can go wrong: `python -m benchmarks.faults --seeds 20`.

A life is drawn from a seed (`life_plan.py`): people who record, submit, send to a server, are processed, reviewed,
published, exported, withdrawn and erased, in any order, and what goes wrong at each step (`injected_faults.py`). Each
step (`life_steps.py`) is a process of its own that may be killed (`forked_steps.py`), and what it confirmed is written
into a ledger that no fault reaches. At the end everything is done once more without faults, as people would, and the
invariants (`invariants.py`) are held against the ledger. `places.py` is where a life takes place: SQLite and a folder
on a small disk, or PostgreSQL and S3 behind a proxy that fails (`failing_store.py`). `whole_life.py` lives it.

What is real: the commands, the recorder, the catalog, the store, the server with its uploads, `process` but for the
networks, whose trajectories are made up from the recording's id, and the process in which a server looks into videos.
"""

import os

# As the command does, before NumPy is loaded; and a process with threads cannot be forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
