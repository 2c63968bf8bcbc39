"""Engines: how work on many recordings is spread, over this machine or over many."""
