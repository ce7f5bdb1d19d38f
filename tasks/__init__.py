"""Prefect tasks: what is retried, for how long, and what its run page shows.

Each calls one step of `narrate.studio`; ids and paths go in and out, nothing else.
"""

from narrate.tasks.deliver import deliver
from narrate.tasks.join import join
from narrate.tasks.plan import plan
from narrate.tasks.read import read
from narrate.tasks.shelf import documents, enqueue
from narrate.tasks.speak import speak
from narrate.tasks.stitch import stitch

__all__ = ["deliver", "documents", "enqueue", "join", "plan", "read", "speak", "stitch"]
