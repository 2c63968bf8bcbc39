"""Erasure: what a person recorded leaves everything, with proof; a tombstone stays.

How people leave: `erasure.py` takes a person out of versions, exports, objects, drafts and the catalog, in an order
that can be cut off anywhere and repeated. `withdrawn_versions.py` puts a tombstone in place of each version that
names them, and publishes what is left as a new one; the exports' part is `storage/exports/export_erasure.py`.
`derived_pictures.py` and `cache_erasure.py` are for what lies on this computer besides. `erasure_check.py` looks for
anything that is left.

`studio/pipeline/withdrawal.py` is how contributors take their own recordings back, from the command and, on the
server, from the thread of `studio/web/contributing/erasure_thread.py`.
"""
