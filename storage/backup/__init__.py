"""Backups: a workspace copied while it is in use, restored elsewhere, and a lost catalog rebuilt from what is left.

How a backup is made: `backup_run.py` takes the catalog as it is at one moment (`catalog_dump.py`), finds what that and
the versions point to (`backup_content.py`), copies what is new (`object_copy.py`, `known_hashes.py`) to where backups
lie (`backup_place.py`), and deletes what no snapshot needs and what was erased (`old_snapshots.py`). `backup_check.py`
reads a backup through. `restore.py` makes a workspace of it in an empty place (`catalog_import.py`), and erases again
whom the backup knows to have been erased later.

Where there is no backup, `rebuild.py` writes a new catalog from what lies beside the videos (`left_beside.py`,
`rebuilt_rows.py`).
"""
