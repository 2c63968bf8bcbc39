"""Recordings as records: what lies beside a video, what was consented to, and what is known of its camera."""
