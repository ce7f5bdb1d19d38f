"""The command `narrate`: words become a call, results a table, errors an exit code."""

import gc

# Most of a short command is imports, which leave no garbage: looking for some after every 700
# objects is a tenth of its time.
gc.set_threshold(50_000)

from narrate.cli.app import app, main  # noqa: E402 - the imports it is about

__all__ = ["app", "main"]
