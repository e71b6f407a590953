"""Commands to the running program: controls, keys, and the control socket."""
