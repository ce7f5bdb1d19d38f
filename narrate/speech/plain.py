"""Text that a model reads as text: a word in angle brackets can be one of its own marks.

`<|im_end|>` in a book about language models would end the prompt in the middle of a sentence.
"""

from __future__ import annotations

import re

__all__ = ["without_marks"]

_MARK = re.compile(r"<\|?(/?\w+)\|?>")


def without_marks(text: str) -> str:
    """Take the brackets off whatever looks like a model's mark: `<|im_end|>` becomes `im end`."""
    return _MARK.sub(lambda found: found[1].strip("/").replace("_", " "), text)
