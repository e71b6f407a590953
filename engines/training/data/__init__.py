"""Training data on disk, its augmentation, and its batches."""
