"""Nouns that are counted: after one of them no four digits are a year."""

from __future__ import annotations

__all__ = ["COUNTED", "IN_YEARS", "MONTHS", "MONTH_NAMES", "SMALL_WORDS"]

_COUNTED = """
    years months weeks days hours minutes seconds decades centuries nights mornings times men
    women people children boys girls persons soldiers sailors troops horses cattle sheep cows
    dogs cats birds fish ships boats guns cannon cars trucks houses homes families students
    pupils workers members officers prisoners slaves inhabitants citizens souls residents voters
    votes copies books pages words letters lines characters volumes chapters verses items pieces
    parts miles feet inches yards metres meters kilometres kilometers acres hectares tons tonnes
    pounds ounces grams kilograms kilos litres liters gallons degrees percent calories watts
    volts dollars cents euros francs marks crowns shillings pence guineas rupees yen ducats
    florins points steps stairs rounds shots bullets trees plants stars islands villages towns
    cities files bytes bits pixels tokens users messages requests points questions answers
    examples species stones bricks bottles barrels bags boxes patients cases deaths attendees
    visitors
"""
COUNTED = frozenset(_COUNTED.split())
_IN_YEARS = """
    in since until till by circa ca. c. during from before after of year years between and to
    around early late mid spring summer autumn fall winter christmas easter a.d. ad anno
"""
IN_YEARS = frozenset(_IN_YEARS.split())
_MONTH_NAMES = """
    January February March April May June July August September October November December
"""
MONTH_NAMES = tuple(_MONTH_NAMES.split())
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, 1)}
MONTHS |= {name[:3]: number for name, number in MONTHS.items() if name != "May"} | {"Sept": 9}
_SMALL_WORDS = """
    a an the and or but nor for of in on at to from by with as is was are were be been has had
    have he she it they we you i that which who whom whose this these those if when while than
    then so per each every into over under after before since until not no all more less out up
    down off would could should will can may might must do did does there here what where how
    because
"""
SMALL_WORDS = frozenset(_SMALL_WORDS.split())
