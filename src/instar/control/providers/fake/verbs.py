"""What every verb of the fake goes through, and its handles."""

import functools
import threading
from collections import Counter
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from instar.control.providers.base import Handle
from instar.control.providers.fake.dials import Dials
from instar.wire.errors import ProviderError

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Verbs")


class Verbs:
    """Base of the fake's parts: `calls` counts each verb, `dials` make it fail."""

    def __init__(self) -> None:
        self.dials = Dials()
        self.calls: Counter[str] = Counter()
        self.lock = threading.RLock()


def verb(call: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Count a call and let the dials have their say, one caller at a time."""

    @functools.wraps(call)
    def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.lock:
            self.calls[call.__name__] += 1
            self.dials.before(call.__name__)
            result = call(self, *args, **kwargs)
            self.dials.after(call.__name__)
            return result

    return wrapper


def make_handle(kind: str, name: str, **more: str) -> Handle:
    """Make the handle of the thing called `name`."""
    return {"provider": "fake", "v": 1, "kind": kind, "name": name, **more}


def name_of(handle: Handle, kind: str) -> str:
    """Read the name out of a handle. Raises ProviderError when it is not one of ours."""
    if handle.get("provider") != "fake" or handle.get("kind") != kind:
        raise ProviderError(f"This is no handle of a fake {kind}", seen=str(handle))
    return str(handle["name"])
