"""The sub-commands of `veneer`; light modules that import the rest when they run."""
