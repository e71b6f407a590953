"""Progress bar and charts of a training."""
