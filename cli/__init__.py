"""The command `narrate`: words become a call, results a table, errors an exit code."""

from narrate.cli.app import app, main

__all__ = ["app", "main"]
