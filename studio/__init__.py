"""The front door: the `kinesphere` command, the demo and, later, the web app."""
