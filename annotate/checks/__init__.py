"""Checks: every criterion of a task applied to a recording, built in or a project's own.

How a recording is judged: while it is extracted, `evidence.py` gathers what can be measured on the way, so no check
reads the video again. `checks.py` then holds every check against that evidence. A check (`findings.py`) measures one
value and says when it is bad; its two thresholds (`limits.py`) make it a pass, a doubt or a failure.

Those built in are the files of `built_in/`, and `built_in_checks.py` finds them by listing that folder: a new check
is one new file. A project's own are plugins, each in a process with limits (`plugins.py`, `plugin_process.py`).
`task_criteria.py` fills in default thresholds and refuses those that make no sense. Duplicates are looked for
afterwards, in `annotate/duplicates`, and whatever is doubted goes to the gate, `annotate/gate`.
"""
