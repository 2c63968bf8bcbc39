"""Checks: every criterion of a task applied to a recording, built in or a project's own."""
