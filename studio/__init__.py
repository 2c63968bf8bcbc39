"""The front door: the `kinesphere` command, the server and the demo."""
