"""One value against one parameter: what is wrong with it, and how it is spelt."""

from typing import Any

from instar.control.catalog import quantities
from instar.control.catalog.dialects import Dialect
from instar.wire.agent import Parameter

TRUE = ("on", "true", "tru", "tr", "t", "yes", "ye", "y", "1")
FALSE = ("off", "of", "false", "fals", "fal", "fa", "f", "no", "n", "0")
_WORDS: dict[Dialect, tuple[str, ...]] = {
    "postgresql": (*TRUE, *FALSE),
    "mysql": ("on", "true", "1", "off", "false", "0"),
}
_LONGEST = 4096
_WIDEST = 2**64


def wrong(value: Any, parameter: Parameter | None, dialect: Dialect = "postgresql") -> str:
    """Say what is wrong with a value, as the end of a sentence; empty when nothing is.

    Without a parameter only what no parameter takes is wrong.
    """
    return _malformed(value) or (_unfit(value, parameter, dialect) if parameter else "")


def text(value: Any) -> str:
    """Write a value as a configuration file would."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def remedy(parameter: Parameter | None, dialect: Dialect = "postgresql") -> str:
    """Say what a parameter takes."""
    if parameter is None:
        return ""
    match parameter.type:
        case "boolean":
            return "It takes on or off."
        case "enum" if parameter.values:
            return f"It takes {', '.join(parameter.values)}."
        case "integer" | "float":
            return f"It takes {_range(parameter, dialect)}."
        case _:
            return ""


def default(parameter: Parameter) -> str:
    """Give the default with its unit; empty when it is not known."""
    told = parameter.default or ""
    if parameter.type not in ("integer", "float") or not parameter.unit:
        return told
    try:
        return quantities.words(float(told), parameter.unit)
    except ValueError:
        return told


def differ(one: Parameter, other: Parameter) -> bool:
    """Tell whether two versions of a parameter have different defaults, as far as both are known."""
    return None not in (one.default, other.default) and default(one) != default(other)


def is_bare(value: Any) -> bool:
    """Tell whether a value is a number without a unit, other than the usual special values 0 and -1."""
    try:
        return not isinstance(value, bool) and quantities.read(str(value), None) not in (0, -1)
    except ValueError:
        return False


def _malformed(value: Any) -> str:
    match value:
        case bool():
            return ""
        case int():
            return "" if abs(value) < _WIDEST else "is far too large"
        case float():
            return ""
        case str() if len(value) > _LONGEST:
            return f"is longer than {_LONGEST} characters"
        case str() if any(ord(letter) < 32 for letter in value):
            return "holds control characters"
        case str():
            return ""
        case _:
            return "is not text, a number, true or false"


def _unfit(value: Any, parameter: Parameter, dialect: Dialect) -> str:
    match parameter.type:
        case "boolean":
            return "" if text(value).strip().lower() in _WORDS[dialect] else "is neither on nor off"
        case "enum":
            return _unlisted(value, parameter.values, dialect)
        case "integer" | "float":
            told = text(value)
            return "is not a number" if isinstance(value, bool) else _unfit_number(told, parameter, dialect)
        case _:
            return ""


def _unlisted(value: Any, listed: list[str], dialect: Dialect) -> str:
    """An enum that can be on and off takes all the words for them; MariaDB's take a word's number, too."""
    words = {word.lower() for word in listed}
    words |= {str(number) for number in range(len(listed))} if dialect == "mysql" else set()
    words |= {"true", "yes", "1"} if "on" in words else set()
    words |= {"false", "no", "0"} if "off" in words else set()
    return "" if not listed or text(value).lower() in words else "is not one of those that it takes"


def _unfit_number(told: str, parameter: Parameter, dialect: Dialect) -> str:
    try:
        exact = quantities.read(told, parameter.unit, dialect)
        number = quantities.whole(exact, dialect) if parameter.type == "integer" else exact
    except ValueError as error:
        return str(error)
    if parameter.minimum is not None and number < parameter.minimum:
        return f"is below the minimum of {quantities.words(parameter.minimum, parameter.unit)}"
    if parameter.maximum is not None and number > parameter.maximum:
        return f"is above the maximum of {quantities.words(parameter.maximum, parameter.unit)}"
    return ""


def _range(parameter: Parameter, dialect: Dialect) -> str:
    kind = "a whole number" if parameter.type == "integer" else "a number"
    unit = f" in {parameter.unit}, or with its unit" if parameter.unit else ""
    if dialect == "mysql":
        unit = ", or one with a suffix such as 64M" if parameter.type == "integer" else ""
    low, high = (
        None if bound is None else quantities.words(bound, parameter.unit)
        for bound in (parameter.minimum, parameter.maximum)
    )
    if low is not None and high is not None:
        return f"{kind}{unit}, from {low} to {high}"
    return (
        kind + unit + (f", {low} at least" if low is not None else "") + (f", {high} at most" if high else "")
    )
