"""Commands for maintainers, and the few that students need; run as ``python -m tools.build`` and the like."""
