"""Units after a number: a closed list, each in the singular and the plural."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ATTACHED", "UNITS"]


def _table() -> dict[str, tuple[str, str]]:
    units: dict[str, tuple[str, str]] = {}
    for sign, name in {"m": "metre", "g": "gram", "l": "litre", "L": "litre", "W": "watt",
                       "V": "volt", "J": "joule", "N": "newton"}.items():  # fmt: skip
        units[sign] = (name, f"{name}s")
    units["Hz"] = ("hertz", "hertz")
    prefixes = {"k": "kilo", "c": "centi", "m": "milli", "M": "mega", "G": "giga"}
    for sign in ("km", "cm", "mm", "kg", "mg", "ml", "mL", "cl", "kW", "MW", "GW", "mW", "kHz",
                 "MHz", "GHz", "kV", "kJ", "kN"):  # fmt: skip
        one, many = units[sign[1:]]
        units[sign] = (prefixes[sign[0]] + one, prefixes[sign[0]] + many)
    for sign in ("mm", "cm", "m", "km"):
        one, many = units[sign]
        units |= {f"{sign}²": (f"square {one}", f"square {many}"),
                  f"{sign}³": (f"cubic {one}", f"cubic {many}")}  # fmt: skip
    for sign, name in {"kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte",
                       "TB": "terabyte", "ha": "hectare", "lb": "pound", "oz": "ounce",
                       "yd": "yard", "mi": "mile", "°": "degree", "min": "minute",
                       "hr": "hour", "ms": "millisecond", "kcal": "kilocalorie",
                       "kWh": "kilowatt hour", "rpm": "revolution per minute"}.items():  # fmt: skip
        units[sign] = (name, f"{name}s")
    units |= {
        "lbs": ("pound", "pounds"), "hrs": ("hour", "hours"), "mins": ("minute", "minutes"),
        "ft": ("foot", "feet"), "sq ft": ("square foot", "square feet"),
        "sq mi": ("square mile", "square miles"),
        "rpm": ("revolution per minute", "revolutions per minute"),
        "km/h": ("kilometre per hour", "kilometres per hour"),
        "kph": ("kilometre per hour", "kilometres per hour"),
        "m/s": ("metre per second", "metres per second"),
        "mph": ("mile per hour", "miles per hour"),
        "°C": ("degree Celsius", "degrees Celsius"), "° C": ("degree Celsius", "degrees Celsius"),
        "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
        "° F": ("degree Fahrenheit", "degrees Fahrenheit"),
        "dB": ("decibel", "decibels"), "fl oz": ("fluid ounce", "fluid ounces"),
    }  # fmt: skip
    return units


UNITS: Mapping[str, tuple[str, str]] = MappingProxyType(_table())
ATTACHED = tuple(sign for sign in UNITS if len(sign) > 1 or sign == "°")
"""Units that may touch their number: "5m" may be five million, "5g" a network."""
