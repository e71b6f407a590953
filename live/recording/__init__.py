"""Video files and pictures on disk."""
