"""Playing: videos in ranges, frame times, landmarks and signals for the player."""
