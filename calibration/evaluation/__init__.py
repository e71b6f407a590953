"""Image quality metrics of trained styles."""
