"""Training: what a trainer expects around the stream.

`torch_dataset.py` hands the stream to PyTorch's loaders, a pass at a time (`torch_epochs.py`).
"""
