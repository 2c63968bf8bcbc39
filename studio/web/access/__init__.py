"""Access: who is asking, how they sign in, and which roles a route requires."""
