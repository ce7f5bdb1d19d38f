"""The command `narrate`: words become a call, results a table, errors an exit code."""

import gc

from narrate.stop import leave_on_a_signal

# Most of a short command is imports, which leave no garbage: looking for some after every 700
# objects is a tenth of its time.
gc.set_threshold(50_000)

__all__ = ["main"]


def main() -> None:
    """Run the command; Ctrl-C is heard from here on, while all of it is still being imported."""
    leave_on_a_signal()
    from narrate.cli.app import run

    run()
