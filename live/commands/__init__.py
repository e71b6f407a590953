"""The sub-commands of `veneer`. The modules import heavy dependencies only when they run."""
