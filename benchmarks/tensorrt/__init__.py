"""The TensorRT proof: its environment and its cache."""
