"""TensorRT proof: its environment and its cache of results."""
