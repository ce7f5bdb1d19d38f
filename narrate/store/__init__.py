"""What is planned and what is done. The only room that knows there is a database."""

from narrate.store.leases import Lease
from narrate.store.store import Book, Line, Output, Progress, Store
from narrate.store.takes import NewTake, Unused

__all__ = ["Book", "Lease", "Line", "NewTake", "Output", "Progress", "Store", "Unused"]
