"""Progress on the terminal: a bar where there is one, a line now and then where there is none."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from narrate.cli.words import duration, pace
from narrate.stop import raise_if_asked
from narrate.studio import Speaking

__all__ = ["ProgressView"]

LINE_EVERY_S = 10.0


class ProgressView:
    """Shows how far a run is, on standard error."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.noted = 0
        self.said_at = time.monotonic()

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self.bar = Progress(
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f} chunks"),
                TextColumn("{task.fields[audio]}"),
                TextColumn("{task.fields[left]}"),
                console=self.console,
                transient=True,
            )
            self.bar.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self.bar:
            self.bar.stop()

    def show(self, now: Speaking) -> None:
        """Take in a report; cheap enough to be called for every chunk."""
        raise_if_asked()
        for note in now.notes[self.noted :]:
            self.console.print(note, highlight=False)
        self.noted = len(now.notes)
        audio = f"{duration(now.audio_s)} of audio, {pace(now.speed)}"
        left = "" if now.eta_s is None else f"{duration(now.eta_s)} left"
        if self.bar:
            if self.task is None:
                self.task = self.bar.add_task("", total=now.chunks, audio=audio, left=left)
            self.bar.update(self.task, completed=now.done, audio=audio, left=left)
        elif time.monotonic() - self.said_at >= LINE_EVERY_S:
            self.said_at = time.monotonic()
            line = f"{now.done}/{now.chunks} chunks ({now.cached} cached), {audio}, {left}"
            self.console.print(line.rstrip(", "), highlight=False, soft_wrap=True)
