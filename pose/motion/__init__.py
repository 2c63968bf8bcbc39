"""Motion: what a whole recording says of sizes, places, speeds and their errors, where a frame says little."""
