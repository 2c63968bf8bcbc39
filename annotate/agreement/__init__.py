"""Agreement: how well annotators agree, from their segments, with intervals.

How annotators are compared: `segment_matching.py` says which of two people's segments correspond and where they
differ; the page on which a third person decides, `studio/web/labelling/adjudication_pages.py`, uses it too.
`segment_scores.py` and `unitizing_alpha.py` are the measures, `agreement_estimates.py` pools them over recordings,
with their intervals, and `agreement.py` reports them by task, track and pair of annotators.

All of these are functions of segments and know no catalog. `measured_agreement.py` brings them the recordings that
several people have labelled (`storage/catalog/labels/double_annotations.py`), for the command, the dashboard and
`publish`.
"""
