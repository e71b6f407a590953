"""Builds better engines while the program runs, tests them, and swaps them in."""
