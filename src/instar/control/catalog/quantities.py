"""Numbers with units as PostgreSQL reads them: '64MB', '5min', '0x10', '1e3'; and as MariaDB does: '64M'.

A bare number is in the base unit, which may be several of a plain one, such as 8kB. Memory counts in steps of
1024; names of PostgreSQL's units are case-sensitive, MariaDB's one-letter suffixes are not.
"""

import math
import re
from fractions import Fraction

from instar.control.catalog.dialects import Dialect

_MEMORY = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME = {"us": 1, "ms": 1000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_NUMBER = re.compile(
    r"\s*(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?))\s*(?P<unit>[A-Za-z]*)\s*",
    re.ASCII,
)
_SUFFIXED = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)([KMGTPEkmgtpe]?)\s*", re.ASCII)
_BASE = re.compile(r"(\d*)([A-Za-z]+)")
LONGEST = 64
"""Letters that a number may have: no parameter needs more."""


def read(text: str, unit: str | None, dialect: Dialect = "postgresql") -> Fraction:
    """Read a number in terms of the base unit, exactly.

    Raises ValueError saying what is wrong: no number, or a unit that does not fit.
    """
    if dialect == "mysql":
        return _suffixed(text)
    found = _NUMBER.fullmatch(text) if len(text) <= LONGEST else None
    if not found:
        raise ValueError("is not a number" + _examples(unit))
    number = _number(found["number"])
    return number * _factor(found["unit"], unit) if found["unit"] else number


def whole(number: Fraction, dialect: Dialect = "postgresql") -> int:
    """Round to a whole number as PostgreSQL does, a half to the even one; MariaDB raises ValueError."""
    if dialect == "mysql" and number.denominator != 1:
        raise ValueError("is not a whole number")
    return round(number)


def words(number: float, unit: str | None) -> str:
    """Write a number in its base unit, as PostgreSQL would read it back: 16 of 8kB are 128kB."""
    text = str(int(number)) if math.isfinite(number) and number == int(number) else str(number)
    if not unit or number <= 0:
        return text
    times, plain = _split(unit)
    return f"{int(number * times)}{plain}" if number == int(number) else f"{text}{unit}"


def _suffixed(text: str) -> Fraction:
    """Read a number of bytes or of anything else: each suffix is 1024 times the one before."""
    found = _SUFFIXED.fullmatch(text) if len(text) <= LONGEST else None
    if not found:
        raise ValueError("is not a number; suffixes are K, M, G, T, P, E")
    times: int = 1024 ** " KMGTPE".index(found[2].upper() or " ")
    return Fraction(found[1]) * times


def _number(text: str) -> Fraction:
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.removeprefix("+"))
    if digits[:2].lower() == "0x":
        return Fraction(sign * int(digits, 16))
    if len(digits) > 1 and digits[0] == "0" and digits.isdigit():
        return Fraction(sign * _octal(digits))
    return sign * Fraction(digits)


def _octal(digits: str) -> int:
    """A leading zero makes it octal, as in C."""
    try:
        return int(digits, 8)
    except ValueError:
        raise ValueError("begins with a zero, which makes it octal, and holds an 8 or a 9") from None


def _factor(given: str, unit: str | None) -> Fraction:
    """Tell how many base units one of the given unit is."""
    if unit is None:
        raise ValueError("takes no unit")
    times, plain = _split(unit)
    for family in (_MEMORY, _TIME):
        if given in family and plain in family:
            return Fraction(family[given], family[plain] * times)
    raise ValueError(f"has the unit {given!r}, which does not fit" + _examples(unit))


def _split(unit: str) -> tuple[int, str]:
    found = _BASE.fullmatch(unit)
    return (int(found[1] or 1), found[2]) if found else (1, unit)


def _examples(unit: str | None) -> str:
    plain = _split(unit)[1] if unit else ""
    for family in (_MEMORY, _TIME):
        if plain in family:
            return f"; units are {', '.join(family)}"
    return ""
