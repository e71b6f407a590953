"""Generators made ready to run on this machine."""
