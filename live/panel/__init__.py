"""The control page: a local web server with the state, the preview and the commands of a running program.

Nothing here is imported without `--panel` or `veneer panel`.
"""
