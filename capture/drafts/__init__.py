"""Drafts: takes that wait on the contributor's disk, are made whole after a crash, imported, and sent."""
