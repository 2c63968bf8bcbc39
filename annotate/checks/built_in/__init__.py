"""The built-in checks: every file here has a `CHECKS`, and all that is known of a check stands there alone."""
