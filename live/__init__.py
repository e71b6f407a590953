"""The running program: sources, tracking, painting, sinks and the command line."""
