"""The networks: where they come from, and each of them run by itself on a region of a picture."""
