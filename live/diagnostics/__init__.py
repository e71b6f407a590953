"""Checks of this machine, and the state of the engines in words."""
