"""Checkpoints of a training: files, resuming, and the rules for overwriting earlier results."""
