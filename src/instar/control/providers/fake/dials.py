"""Dials that make the fake provider fail, be late or be slow."""

from collections import Counter
from dataclasses import dataclass, field

from instar.wire.errors import InstarError, ProviderError


@dataclass
class Dials:
    """What goes wrong, by verb (a method's name)."""

    once: dict[str, list[InstarError]] = field(default_factory=dict)
    always: dict[str, InstarError] = field(default_factory=dict)
    late: Counter[str] = field(default_factory=Counter)
    polls: dict[str, int] = field(default_factory=dict)

    def fail_once(self, verb: str, error: InstarError) -> None:
        """Have the next call fail without doing anything; calls add up."""
        self.once.setdefault(verb, []).append(error)

    def fail_always(self, verb: str, error: InstarError) -> None:
        """Have every call fail without doing anything, until `clear`."""
        self.always[verb] = error

    def timeout_but_succeed(self, verb: str) -> None:
        """Have the next call do its work and then fail as if the answer was lost."""
        self.late[verb] += 1

    def slow(self, verb: str, polls: int) -> None:
        """Have what a verb begins be done at the `polls`-th inquiry after it (`stage`: call of it)."""
        self.polls[verb] = polls

    def clear(self, verb: str) -> None:
        """Let a verb work again."""
        for dial in (self.once, self.always, self.late, self.polls):
            dial.pop(verb, None)

    def before(self, verb: str) -> None:
        """Raise what was dialled, before the work is done."""
        if self.once.get(verb):
            raise self.once[verb].pop(0)
        if verb in self.always:
            raise self.always[verb]

    def after(self, verb: str) -> None:
        """Raise what was dialled, after the work was done."""
        if self.late[verb]:
            self.late[verb] -= 1
            raise ProviderError(f"{verb} timed out", seen="no answer", retryable=True)
