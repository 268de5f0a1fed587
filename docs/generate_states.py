"""The reference of states: every status word with its sentence, and each operation's steps."""

import inspect
from collections.abc import Iterator
from itertools import chain
from typing import Any

import rst
from sphinx.pycode import ModuleAnalyzer

from instar.control.engine.outcomes import Step, Story
from instar.control.operations.stories import STORIES
from instar.wire import states

_HEAD = """\
An instance's ``status`` follows from its open operation; nobody sets it by hand. What its database is doing
is another word, ``operating_status``.
"""
_STEPS = """\
The cursor of an operation goes through these steps from top to bottom. *Patience* is how long a step may
wait, or be tried again, with nothing measurable moving. A failure that leads back to "as it was" leaves the
instance on the version and the status that it had.
"""


def make() -> str:
    """Make the page's text."""
    parts = [rst.heading("States and steps"), _HEAD]
    for name, kind in inspect.getmembers(states, inspect.isclass):
        if kind.__module__ == states.__name__:
            parts += [rst.heading(name, "-"), rst.prose(kind.__doc__ or "") + "\n", _words(name, kind)]
    parts += [rst.heading("Steps of the operations", "-"), _STEPS]
    return "\n".join([*parts, *(_story(story) for story in STORIES.values())])


def _words(name: str, kind: Any) -> str:
    told = ModuleAnalyzer.for_module(states.__name__).find_attr_docs()
    rows = [
        (rst.literal(word.value) or "(empty)", rst.prose(" ".join(told[name, word.name]))) for word in kind
    ]
    return rst.table(("Word", "Meaning"), rows, "20 80")


def _story(story: Story[Any]) -> str:
    return "\n".join([rst.heading(story.kind, "~"), rst.block("\n".join(_diagram(story)))])


def _diagram(story: Story[Any]) -> Iterator[str]:
    status = story.status or "(status unchanged)"
    yield f"{story.kind} accepted: {status}"
    stretch = ""
    for step in story.steps:
        yield f"  {'' if step.stretch == stretch else step.stretch:<9}{_line(step)}"
        stretch = step.stretch
    yield f"succeeded: {story.ends_as if story.status else status}"
    for step in chain(*story.ways_back):
        yield f"  way back {_line(step)}"
    if story.ways_back:
        yield "failed, and the instance is as it was"


def _line(step: Step[Any]) -> str:
    return f"{step.name:<14} patience {step.patience:>4g} s   failure: {_failure(step)}"


def _failure(step: Step[Any]) -> str:
    if step.optional:
        return "told, and the story goes on"
    if isinstance(step.way_back, str):
        return f"-> {step.way_back}"
    if step.way_back:
        return "ERROR, or the way back where it is asked for"
    return "as it was" if step.harmless else "ERROR"
