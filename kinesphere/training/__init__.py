"""Training: what a trainer expects around the stream.

`torch_dataset.py` hands the stream to PyTorch's loaders, a pass at a time (`torch_epochs.py`). `mixture.py` makes one
stream of several, `epoch_digest.py` one hash of an epoch, `weight_expression.py` weights of an expression, and
`episode_text.py` adds what people were told to do.
"""
