"""Footage: whole videos read upright with true frame times, and when each stored frame is played."""
