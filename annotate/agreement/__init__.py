"""Agreement: how well annotators agree, from their segments, with intervals."""
