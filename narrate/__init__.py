"""narrate: a document in, an audiobook in the speaker's own voice out."""

__all__ = ["__version__"]

__version__ = "0.1.0"
