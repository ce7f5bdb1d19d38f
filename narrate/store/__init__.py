"""What is planned and what is done. The only room that knows there is a database."""

from narrate.store.leases import Lease
from narrate.store.records import Book, Claimed, Known, Line, Output, Progress, Worker
from narrate.store.store import Store
from narrate.store.takes import NewTake, Unused

__all__ = [
    "Book",
    "Claimed",
    "Known",
    "Lease",
    "Line",
    "NewTake",
    "Output",
    "Progress",
    "Store",
    "Unused",
    "Worker",
]
