"""Picture files: reading, rendering-ready frames, merging of what was painted, writing."""
