"""Times the runtimes of this machine and selects the fastest."""
