"""Frame rate benchmark: configurations, measurement in separate processes, tables and plot."""
