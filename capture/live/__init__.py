"""The live picture: shown and measured before, between and during takes, with advice."""
