"""Statistics: exact moments and quantiles of a version, and how evenly something is spread over groups."""
