"""Live progress of an operation: a line for each finished step, and what the current one is at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from instar.cli._columns import step_line

if TYPE_CHECKING:
    from instar.client.errors import InstarError
    from instar.wire.events import EventView
    from instar.wire.rest import Operation

_WORDS = {"done": "done", "goto": "done", "fail": "failed"}


class View(Protocol):
    """Where progress is shown."""

    def line(self, text: str) -> None:
        """Show a line that stays."""

    def current(self, text: str) -> None:
        """Show what is going on now."""


class Progress:
    """Turns an operation's events into lines; each finished step has one, also after a broken stream."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._done: set[str] = set()

    def event(self, event: "EventView") -> None:
        """Show one event."""
        payload = event.payload
        if event.kind != "step":
            return
        word = _WORDS.get(payload.get("outcome", ""))
        if word is None:
            self._view.current(_current(payload))
        elif payload["step"] not in self._done or word == "failed":
            self._finished(payload["step"], word, payload.get("seconds"))

    def broken(self, error: "InstarError") -> None:
        """Show that the control plane does not answer at the moment."""
        self._view.current(f"{error.body.brief}; the operation goes on, trying again")

    def ended(self, operation: "Operation") -> None:
        """Show the finished steps whose events were missed, then how the operation ended."""
        for step in operation.steps or []:
            if step.state == "DONE" and step.name not in self._done:
                self._finished(step.name, "done", step.seconds)
        self._view.line(summary(operation))

    def _finished(self, name: str, word: str, seconds: float | None) -> None:
        if word == "done":
            self._done.add(name)
        self._view.line(step_line(name, word, seconds))


def summary(operation: "Operation") -> str:
    """Say how an operation ended."""
    took = "" if operation.seconds is None else f" after {operation.seconds:.2f} s"
    downtime = operation.downtime_seconds
    down = "" if downtime is None else f", downtime {downtime:.2f} s"
    name = operation.instance_name or operation.instance_id
    return f"{operation.kind} of {name} {_how(operation)}{took}{down}"


def _how(operation: "Operation") -> str:
    if operation.error is not None and operation.error.code == "aborted":
        return "was aborted and taken back" if operation.came_back else "was aborted"
    if operation.came_back:
        return "failed and was taken back"
    return operation.state.value.lower()


@contextmanager
def shown_on(out: TextIO) -> Iterator[Progress]:
    """Show progress on `out`: with a spinner on a terminal, in plain lines elsewhere."""
    if not out.isatty():
        yield Progress(_Plain(out))
        return
    from rich.console import Console

    console = Console(file=out, highlight=False, markup=False)
    with console.status("waiting for a worker", spinner="line") as status:
        yield Progress(_Terminal(console, status))


class _Plain:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last = ""

    def line(self, text: str) -> None:
        print(text, file=self._out, flush=True)

    def current(self, text: str) -> None:
        """Nothing: a log wants what happened, not what is happening."""


class _Terminal:
    def __init__(self, console: Any, status: Any) -> None:
        self._console = console
        self._status = status

    def line(self, text: str) -> None:
        self._console.print(text)

    def current(self, text: str) -> None:
        from rich.text import Text

        self._status.update(Text(text))


def _current(payload: dict[str, Any]) -> str:
    percent = payload.get("percent")
    share = "" if percent is None else f" ({percent:.0f} %)"
    return f"{payload.get('step', ''):<16} {payload.get('reason') or 'running'}{share}"
