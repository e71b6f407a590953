"""Discriminators of the adversarial training methods, one module per network."""
