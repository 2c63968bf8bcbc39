"""Access: who is asking, how they sign in, and what a route demands."""
