"""Our own rules of where a sentence can end: the fallback, and the check on any splitter.

A boundary is the offset of the first character after a sentence, its closing quotation marks and
brackets included. Time is linear in the text: every rule looks a few characters around.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = [
    "CLOSERS",
    "END",
    "OPENERS",
    "STARTER",
    "TITLES",
    "after_closers",
    "is_abbreviation",
    "is_boundary",
    "is_plain_end",
    "rule_boundaries",
]

CLOSERS = "\"'”’»›)]}」』】》〉）］｝"
OPENERS = "“‘«‹„‚([{「『【《〈（［｛¿¡"
_EAST_ENDS = "。！？｡"
END = re.compile(r"[.!?…‥؟۔।॥]+|[。！？｡]+")
_TRAIL = re.compile(rf"[{re.escape(CLOSERS)}]+")
# French sets a space before »; the German » opens and touches the word after it.
_SPACED_CLOSER = re.compile(r"\s[»›](?=[\s,;.)]|$)")
_LEADING = re.compile(rf"[\s\"'`*_–—-]*[{re.escape(OPENERS)}\"'`»›\s]*")
_WORD_BEFORE = re.compile(r"[^\s(\[“\"‘'«»„—–-]*$")
_WINDOW = 40
_OMISSION = re.compile(rf"\[(?:\.{{3}}|…)\][{re.escape(CLOSERS)}]*$")
# "At 5 a.m. Mr. Smith left": the sentence has only said when.
_OPENING_HOUR = re.compile(
    r"(?:^|[.!?]\s)(?:At|By|Around|Before|After|Until|From|Since|About)\s[\d:]+\s?[ap]\.m\.$"
)

_ABBREVIATION_WORDS = """
    mr mrs ms dr prof rev hon st sr jr messrs mme mlle capt col gen lt lieut maj sgt cmdr gov
    sen rep pres supt esq mt ft no nos vol vols fig figs p pp ch chap sec art ed eds e.g i.e cf
    viz al vs v ca approx dept univ inc ltd co corp bros jan feb mar apr jun jul aug sept sep oct
    nov dec mon tue wed thu fri sat sun ave blvd rd a.m p.m u.s u.k
    eq eqs deg wm geo chas jas thos jno robt benj saml danl bk
    hr fr frl bzw usw z.b d.h u.a evtl ggf inkl nr str tel vgl sog s bd abb hrsg geb gest
    m mm mgr av env etc p.ex c.-à-d sra srta d ud uds vd vds dña pág
    sig sigg dott avv ing geom pag т.е т.к т.д т.п г гг др проф стр рис гл им ул sta sto
"""
_ABBREVIATIONS = frozenset(_ABBREVIATION_WORDS.split())
_ENDING_WORDS = "etc usw al co inc ltd bros a.m p.m т.д т.п др гг г"
# These also end sentences; before a capital they do.
_ENDING = _ABBREVIATIONS & set(_ENDING_WORDS.split())
TITLES = frozenset({"Mr", "Mrs", "Ms", "Dr", "Messrs", "Mme", "Mlle"})
# Short for titles of men and women, and written like names.
_LIKE_NAMES = frozenset({"Brig", "Reps", "Sens", "Mssrs", "Attys", "Hosp"})
_LEAST_NAME = 4  # letters: what is shorter may be short for something
_INITIAL = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_UNSPACED = re.compile(r"(?<=[a-z]{2})[.!?](?=[A-Z][a-z])")  # "Tuesday.Mr. Smith"
_STATE = re.compile(r"(?:[A-Z]\.){1,3}[A-Z]")
# After "the U.S." these begin a sentence; a name after initials is none of them.
STARTER = re.compile(
    r"\s+[“\"‘']?(?:How|What|Who|Whose|When|Where|Why|Which|The|He|She|It|We|They|His|Her|Its|Their"
    r"|Our|My|Your|You|This|That|These|Those|There|Then|But|And|So|If|In|At|On|As|For|Do|Does|Did"
    r"|Is|Are|Was|Were|Have|Has|Had|Not|No|Yes|Now|After|Before|While|Although|However)\b"
)
# と言った, 他说。, 老太太笑道：: the words that say who spoke belong to what was said.
_EAST_SAID = re.compile(
    "[\u3041-\u309f]|[\u4e00-\u9fff]{1,6}?[说說问問道答喊叫嚷](?:[了着著]|(?=[。，,：！]))"
)
# 「行くか？」　と言った, ――と言った: the same behind a space or a dash, where words that begin so
# (とても, ところが) may begin a sentence.
_EAST_SAID_APART = re.compile(
    "[\\s―—–…‥]+(?:って|と(?!ても|ころ|にかく|うとう|りあえず|もかく|なり|き|ある|たん|もに|はいえ))"
)
# え？と思った: without quotation marks, words of saying and thinking alone.
_EAST_THOUGHT = re.compile("(?:と|って)[言云叫聞訊尋問考答呼感思怒書]")
_EAST_COMMA = re.compile(r"\s*[、，；]")  # no sentence begins with one
_KOREAN_SAID = re.compile(r"\s[\uac00-\ud7af ]{1,20}(?:말했다|물었다|대답했다|외쳤다|했다)\.")
_DAY = re.compile(r"\d{1,2}")
# "10s. 6d.", "lat. 43°", "cap. IV": what the next words are tells what was short.
_SHILLINGS = re.compile(r"\d{1,2}s")
_PENCE = re.compile(r"\s+\d{1,2}[½¼¾]?d\b")
_COORDINATES = frozenset({"lat", "long", "lon"})
_DEGREES = re.compile(r"\s+\d{1,3}(?:\.\d+)?°")
_CHAPTERS = frozenset({"kap", "cap"})
_NUMERAL = re.compile(r"\s+(?:\d|[VX](?!\w)|[IVXLC]{2,}(?!\w))")
_ORDINAL_LANGUAGES = frozenset({"de", "da", "no", "nb", "cs", "fi", "hu", "pl", "sk"})


def rule_boundaries(text: str, language: str) -> Iterator[int]:
    """The ends of all sentences but the last, by the rules alone."""
    for found in END.finditer(text):
        end = after_closers(text, found.end())
        if end < len(text) and is_boundary(text, end, language):
            yield end


def after_closers(text: str, end: int) -> int:
    """`end` moved behind the closing quotation marks and brackets that stand there."""
    spaced = _SPACED_CLOSER.match(text, end)
    if spaced is not None:
        return spaced.end()
    trail = _TRAIL.match(text, end)
    if trail is None:
        return end
    # A straight mark that touches a word opens: he said."Go" is a slip of the typesetter.
    stop = trail.end()
    if stop < len(text) and text[stop].isalnum() and text[stop - 1] in "\"'":
        stop -= 1
    return stop


def is_boundary(text: str, end: int, language: str) -> bool:
    """Whether a sentence may end right before `end`, given what stands on both sides."""
    before = text[max(0, end - _WINDOW) : end]
    core = before.rstrip(f"{CLOSERS} ")
    mark = core[-1:]
    if mark and mark in _EAST_ENDS:
        return not _runs_on(text, end, mark, quoted=len(core) < len(before))
    if end < len(text) and not text[end].isspace():
        return False
    if not mark or mark not in ".!?…‥؟۔।॥:;":
        return False
    if _OMISSION.search(before) or _OPENING_HOUR.search(before):
        return False
    if language == "ko" and len(core) < len(before) and _KOREAN_SAID.match(text, end):
        return False
    after = _next_char(text, end)
    if after.islower() or after in ",;:.!?…)]}":
        return False
    if mark != "." or core.endswith("..") or len(core) < len(before):
        return True
    word = _WORD_BEFORE.search(core[:-1])
    return word is None or _word_may_end(word.group(), core, after, language, text, end)


def is_plain_end(text: str, start: int, end: int, language: str) -> bool:
    """Whether no splitter could differ about the mark at `start`, the next words being at `end`.

    It stands behind a plain word, or behind a title as in "Mr. Bennet" which never ends a sentence;
    in English, which writes few words large, behind a name too.
    """
    if text[start] != ".":
        return True
    word = _WORD_BEFORE.search(text, max(0, start - _WINDOW), start)
    bare = "" if word is None else word.group()
    if bare in TITLES:
        return text[end : end + 1].isupper()
    if len(bare) < 2 or not bare.isalpha() or bare.casefold() in _ABBREVIATIONS:
        return False
    name = language == "en" and len(bare) >= _LEAST_NAME and bare not in _LIKE_NAMES
    return bare.islower() or (name and bare[1:].islower() and text[end : end + 1].isupper())


def is_abbreviation(word: str) -> bool:
    """Whether a word (its last stop taken off) wants a stop after it inside a sentence."""
    bare = word.casefold()
    return bare in _ABBREVIATIONS or (_INITIAL.fullmatch(word) is not None and word != "I")


def _word_may_end(word: str, core: str, after: str, language: str, text: str, end: int) -> bool:
    word = _UNSPACED.split(word)[-1]
    bare = word.casefold()
    if (
        (_SHILLINGS.fullmatch(word) and _PENCE.match(text, end))
        or (bare in _COORDINATES and _DEGREES.match(text, end))
        or (bare in _CHAPTERS and language != "en" and _NUMERAL.match(text, end))
    ):
        return False
    if bare in _ENDING:
        return after.isupper()
    if bare in (
        "no",
        "art",
        "sat",
        "sun",
        "mar",
        "may",
        "ed",
        "fig",
        "s",
        "d",
        "m",
        "max",
        "min",
        "abs",
    ):
        name = bare in ("no", "sun", "mar", "max", "abs")
        return not (after.isdigit() or (word[:1].isupper() and not name))
    if language == "de" and after.isdigit() and bare.endswith("str"):
        return False
    if is_abbreviation(word):
        return _STATE.fullmatch(word) is not None and STARTER.match(text, end) is not None
    if word.isdecimal() and len(core) == len(word) + 1 == end:
        return False  # "1. First item": the number belongs to what it counts
    return not (language in _ORDINAL_LANGUAGES and _DAY.fullmatch(word))


def _runs_on(text: str, end: int, mark: str, *, quoted: bool) -> bool:
    """Whether what an eastern mark ends goes on with the words that say so: 「行く！」と言った."""
    if _EAST_COMMA.match(text, end):
        return True
    if quoted:
        return bool(_EAST_SAID.match(text, end) or _EAST_SAID_APART.match(text, end))
    return mark in "！？" and _EAST_THOUGHT.match(text, end) is not None


def _next_char(text: str, end: int) -> str:
    """The first character of the next sentence, its opening marks and dashes passed over."""
    found = _LEADING.match(text, end)
    place = end if found is None else found.end()
    return text[place : place + 1] or " "
