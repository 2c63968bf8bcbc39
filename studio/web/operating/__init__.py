"""Operating: the dashboard, and the pages of tasks."""
