"""Contributing: what contributors see of their recordings, and taking them back."""
