"""`python -m narrate` is the command `narrate`."""

from narrate.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
