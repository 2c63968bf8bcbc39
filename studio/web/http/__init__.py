"""HTTP: requests read with limits, failures told, pages rendered."""
