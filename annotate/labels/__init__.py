"""Labels: segments of a recording, the rules for them, and where two annotators differ.

`segments.py` has the rules of one segment, `labelling.py` what annotators are given and may do; who labels what, and
every operation, is in `storage/catalog/labels`. `label_comparison.py` says what two people agree on and what a third
has to decide, and `label_formats.py` reads and writes files of labels.
"""
