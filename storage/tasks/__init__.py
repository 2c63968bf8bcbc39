"""Tasks: what a contributor is asked to do, and by which criteria it is judged."""
