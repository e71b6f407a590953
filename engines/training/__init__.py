"""How the shipped weights were made, and yours can be."""
