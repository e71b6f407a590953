"""Metrics of networks and pictures."""
