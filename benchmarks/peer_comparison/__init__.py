"""Comparison of this project's generators with published networks."""
