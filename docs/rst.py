"""Pieces of reStructuredText for the generated pages."""

import re
from collections.abc import Iterable, Sequence


def heading(text: str, underline: str = "=") -> str:
    """Make a heading."""
    return f"{text}\n{underline * len(text)}\n"


def literal(text: str) -> str:
    """Make text code."""
    return f"``{text}``" if text else ""


def prose(text: str) -> str:
    """Keep words of a docstring from being taken for markup; single backticks stay code."""
    parts = re.split(r"(`+[^`]+`+)", text)
    return "".join(part if part.startswith("`") else _escaped(part) for part in parts)


def block(text: str, language: str = "text") -> str:
    """Make a literal block."""
    lines = [f"   {line}".rstrip() for line in text.splitlines()]
    return "\n".join([f".. code-block:: {language}", "", *lines, ""])


def table(header: Sequence[str], rows: Iterable[Sequence[str]], widths: str = "auto") -> str:
    """Make a table; cells are reStructuredText of one line."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in (header, *rows):
        lines += [
            f"   {'* -' if index == 0 else '  -'} {cell}".rstrip()
            for index, cell in enumerate(" ".join(cell.split()) for cell in row)
        ]
    return "\n".join([*lines, ""])


def _escaped(text: str) -> str:
    return re.sub(r"(\w)_(?!\w)", r"\1\\_", re.sub(r"([*|\\])", r"\\\1", text))
