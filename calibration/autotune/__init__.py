"""Timing of the runtimes on this machine and selection of the best one for each look."""
