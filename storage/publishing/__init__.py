"""Publishing: accepted recordings become the episodes of a dataset's next version."""
