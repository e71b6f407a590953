"""Builds better engines in processes of their own, away from the running picture."""
