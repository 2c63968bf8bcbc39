"""Objects: bytes under a key, in a folder or an object store, with a cache on this computer's disk."""
