"""Many files: the manifest of what is done, one unit of work, processes, segments of long films, clusters."""
