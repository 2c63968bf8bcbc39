"""The pipeline: what is done to a recording, and what waits goes through it. No command line in it."""
