"""Video: pictures of windows, found by their times and decoded where they lie."""
