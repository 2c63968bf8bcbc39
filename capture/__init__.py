"""Recording: cameras and other sources, the recorder, the import of finished videos, and measurements of pictures."""
