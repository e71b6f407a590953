"""Calibration sets: creation and reading."""
