"""What the operating system says, told as a provider's failure."""

import errno
import functools
import subprocess
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from instar.wire.errors import ProviderError

P = ParamSpec("P")
R = TypeVar("R")


def told(call: Callable[P, R]) -> Callable[P, R]:
    """Turn what the operating system says into a ProviderError; for methods of what has a `name`."""

    @functools.wraps(call)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except (OSError, subprocess.SubprocessError) as error:
            is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise ProviderError(
                f"The {getattr(args[0], 'name', '')} provider could not carry out {call.__name__}",
                seen=str(error),
                remedy="free space there"
                if is_full
                else "repair what the system complains of, then try again",
                retryable=not is_full,
            ) from error

    return wrapper
