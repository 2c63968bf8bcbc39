"""The recorder: a source becomes a video with true frame times, and every lost frame is told."""
