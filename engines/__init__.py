"""Generators, drawing, regions, runtimes, engine cache, training, styles and looks."""
