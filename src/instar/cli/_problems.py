"""How errors look on a terminal: what happened on one line, what to do about it on the next."""

import logging
from collections.abc import Iterator
from typing import Any


class Formatter(logging.Formatter):
    """Shows an error of ours by its parts, other records as they are; tracebacks where a record has one."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the text of one record."""
        if record.levelno < logging.ERROR:
            return super().format(record)
        text = (
            "\n".join(lines(record.msg)) if hasattr(record.msg, "body") else f"Error: {record.getMessage()}"
        )
        return f"{self.formatException(record.exc_info)}\n{text}" if record.exc_info else text


def lines(error: Any) -> Iterator[str]:
    """Give the lines for an error with a body: the error, findings, the remedy, what can be done next."""
    body = error.body
    yield f"Error: {body.model_copy(update={'remedy': ''}).sentence()}"
    for finding in body.findings:
        yield f"  {finding.severity}: {finding.check}: {finding.seen}"
        if finding.remedy:
            yield f"    {finding.remedy}"
    if error.details and not body.findings:
        yield f"  {error.details}"
    if body.remedy:
        yield f"Remedy: {body.remedy}"
    if operation := getattr(error, "operation", None):
        yield f"See:    instar operation show {operation.id}"
        yield from (f"Then:   instar operation {verb} {operation.id} --wait" for verb in operation.verbs)
