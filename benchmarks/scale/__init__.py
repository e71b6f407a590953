"""Many files: speed of jobs and clusters, and the schedule on many nodes."""
