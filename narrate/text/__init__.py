"""The text room: a file becomes a `Document`, a document becomes a `Plan` of chunks to speak.

read (readers/, a file a format) ─► Document ─ plan ─► Plan
decoding  bytes to text             sentences  where sentences end
traced    text with its origins     chunks     what is spoken in one go
clean     characters                planning   pauses, positions, the whole plan
lexicon   the reader's own words    spoken     what the voice gets, by verbal/
headings  lines that are titles     accounting every character is spoken or skipped
"""

from narrate.text.accounting import Coverage, CoverageError, coverage
from narrate.text.lexicon import own_words
from narrate.text.planning import PLAN_VERSION, PlanOptions, included, plan
from narrate.text.readers import SUPPORTED, read
from narrate.text.sentences import sentences
from narrate.text.word_error import word_error

__all__ = [
    "PLAN_VERSION",
    "SUPPORTED",
    "Coverage",
    "CoverageError",
    "PlanOptions",
    "coverage",
    "included",
    "own_words",
    "plan",
    "read",
    "sentences",
    "word_error",
]
