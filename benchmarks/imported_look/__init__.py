"""Import of a small ONNX network, and a live look of it."""
