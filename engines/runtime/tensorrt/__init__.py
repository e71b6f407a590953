"""TensorRT runtime."""
