"""Built engines on disk, keyed by everything that changes their bytes."""
