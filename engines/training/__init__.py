"""Training of generators: methods, data, losses, metrics and checkpoints."""
