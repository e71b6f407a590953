"""The comparison with published networks."""
