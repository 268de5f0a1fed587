"""Logs of a guest."""

from instar.wire.rest.base import Answer


class Log(Answer):
    """A log: `status` is Unavailable for one that can't be published."""

    name: str
    type: str
    status: str
    published: int = 0
    pending: int = 0
    container: str | None = None
    prefix: str | None = None
    metafile: str | None = None


class LogsAnswer(Answer):
    logs: list[Log]
