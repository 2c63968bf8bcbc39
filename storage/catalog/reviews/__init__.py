"""The catalog's reviews: requests, leases, opinions, and what follows from them."""
