"""Labels: segments of a recording, the rules for them, and where two annotators differ."""
