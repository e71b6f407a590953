"""Calibration sets: building and reading them."""
