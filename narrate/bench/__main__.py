"""`python -m narrate.bench`: the commands of `narrate bench` where there is no typer."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from narrate.bench.afterwards import afterwards, told
from narrate.bench.asked import COMMANDS, Asked, words_of
from narrate.bench.command import Stopped, measure_part
from narrate.bench.watchers import Lines
from narrate.errors import NarrateError
from narrate.stop import INTERRUPTED, install, reached_the_edge


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m narrate.bench")
    parts = parser.add_subparsers(dest="command", required=True)
    for name, kind in COMMANDS.items():
        one = parts.add_parser(name, help=(kind.__doc__ or "").partition("\n")[0])
        for word in words_of(kind):
            if word.argument:
                one.add_argument(word.name, metavar=word.metavar, help=word.said)
            elif word.kind is bool:
                one.add_argument(word.option, action="store_true", help=word.said)
            else:
                more: dict[str, Any] = {"type": word.kind, "metavar": word.metavar}
                one.add_argument(word.option, default=word.default, help=word.said, **more)
    return parser


def main() -> int:
    """Run the words of the command line; the exit codes are `narrate`'s."""
    install()
    try:
        return _run()
    except KeyboardInterrupt:
        print("stopped before anything was measured", file=sys.stderr)
        return INTERRUPTED
    finally:
        reached_the_edge()


def _run() -> int:
    given = vars(_parser().parse_args())
    kind = COMMANDS[given.pop("command")]
    try:
        asked = kind(**given)
        if isinstance(asked, Asked):
            folder = measure_part(asked, Lines(), reached_the_edge)
            print(told(folder), file=sys.stderr)
            print(folder)
        else:
            print(afterwards(asked))
    except Stopped as stopped:
        print(f"stopped; what was measured is in {stopped.folder}", file=sys.stderr)
        return stopped.exit_code
    except NarrateError as error:
        print(f"narrate: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
