"""Sources of frames: cameras, clips that play the camera, and generated patterns."""
