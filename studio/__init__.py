"""The front door: the `kinesphere` command, the pipeline, the studio's web pages and the demo."""
