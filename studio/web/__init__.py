"""The server that contributors send their takes to, over HTTP."""
