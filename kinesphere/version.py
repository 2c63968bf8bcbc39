"""The version of both distributions, `kinesphere` and `kinesphere-studio`."""

__version__ = "0.2.0"
