"""Everything that makes or runs a network."""
