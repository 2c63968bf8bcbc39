"""Engines: how work on many recordings is spread, over this machine or over many.

Whatever engine spreads it, the work on a recording may run in a process of its own: `isolation.py` is the side that
waits for it and holds it to its limits, `work_process.py` the process, and `lifeline.py` ends it with whoever waits.
"""
