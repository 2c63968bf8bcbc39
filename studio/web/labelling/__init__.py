"""Labelling: the pages of annotators and what they ask for.

The label page: `label_pages.py` serves it, `label_routes.py` takes its edits in the form that `label_messages.py`
describes, `label_events.py` tells other tabs of them, and `proposal_routes.py` serves what helps: proposals, pauses,
the edges of frames. `adjudication_pages.py` is for whoever decides where two annotators differ.

In the browser, `static/js/label/label_page.js` joins the parts. `labels.js` holds one person's labels, with undo, on
top of `static/js/segments/label_sync.js`, which keeps them in step with the server; `operation_store.js` keeps what
the server has not confirmed yet, and `segment_index.js` finds segments. `label_actions.js` lists the keys,
`label_editor.js` is what they do, and `label_edits.js` the changes that come of it. `timeline.js` is the canvas
(`timeline_view.js`, `timeline_painter.js`, `timeline_pointer.js`), and `segment_table.js` shows the same as a table,
for screen readers too.
"""
