"""Read kinesphere datasets: human keypoint trajectories, streamed into robot training.

>>> import kinesphere as ks  # inside the repository: import storage as ks
>>> dataset = ks.open_dataset("workspace/datasets/kitchen")
"""

from .version import __version__

__all__ = ["__version__"]
