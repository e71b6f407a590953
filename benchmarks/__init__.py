"""How fast, how steady, on which machine."""
