"""Engine version numbers, and ranges of them such as ``>=15,<18``; both are compared number by number."""

import operator
import re
from collections.abc import Callable

Number = tuple[int, ...]

_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})*")
_CLAUSE = re.compile(rf"(>=|<=|==|>|<)\s*({_NUMBER.pattern})")
_COMPARE: dict[str, Callable[[Number, Number], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def parse(text: str) -> Number:
    """Read the leading dotted number: ``17.10-1`` gives (17, 10). Raises ValueError when there is none."""
    found = _NUMBER.match(text)
    if not found:
        raise ValueError(f"{text!r} does not begin with a version number such as 17.10")
    numbers = [int(part) for part in found.group().split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def lies_in(number: Number, span: str) -> bool:
    """Tell whether a number lies in a range: clauses joined by commas, all of which must hold.

    ``<18`` holds for 17.10; ``<=17`` does not, as 17.10 comes after 17. Raises ValueError for a bad range.
    """
    return all(_COMPARE[sign](number, parse(bound)) for sign, bound in _clauses(span))


def _clauses(span: str) -> list[tuple[str, str]]:
    clauses = [_CLAUSE.fullmatch(part.strip()) for part in span.split(",")]
    if not all(clauses):
        raise ValueError(f"{span!r} is not a version range such as '>=15,<18'")
    return [(clause[1], clause[2]) for clause in clauses if clause]
