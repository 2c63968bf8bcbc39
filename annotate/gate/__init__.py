"""The gate: what a check doubts is reviewed, the contributor gets feedback, and the gate itself is measured.

How a doubt is settled: a doubted recording is a request in the catalog (`storage/catalog/reviews`), leased to one
reviewer at a time, who gives an opinion; some ask for two, and for a third where those differ. `review.py` has what
reviewers do, for the command and the page alike, and `feedback.py` the words that contributors read.
`gate_measures.py` says how good checks and reviewers are, `proposed_thresholds.py` which thresholds past decisions
speak for, and `criteria_preview.py` what other criteria would have done.
"""
