"""The catalog's labels: who labels what, the log of their operations, and the queue of what is next."""
