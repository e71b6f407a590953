"""Benchmarks of tracked and of drawn faces."""
