"""Measurements of the control page."""
