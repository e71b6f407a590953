"""`python -m live` is the `veneer` command."""

from live.cli import main

main()
