"""The gate: what a check doubts is reviewed, the contributor gets feedback, and the gate itself is measured."""
