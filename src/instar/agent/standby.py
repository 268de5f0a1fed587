"""A standby: a server that was booted beside the one that it is to replace.

It answers at an address of its own and says there that it waits, until the volume is in place. That is the
sign that the other server has ended: from then on it is to be found at the address that it takes over.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from instar.agent.facts import Facts
from instar.agent.server import Api, Server
from instar.wire import agent as wire
from instar.wire.errors import GuestError

POLL = 0.02

_log = logging.getLogger(__name__)


def take_over(
    facts: Facts, api: Api, bind: Callable[[str, Api], Server], ended: threading.Event
) -> Server | None:
    """Wait for the volume and the address that are to be taken over; gives the server that is bound to that.

    None when the agent is to end meanwhile. Where the volume is in place already, nothing is waited for: it
    has been taken over before this boot.
    """
    waiting = None
    if not facts.holder.is_there():
        can = _will_have_address(Path(facts.root))
        told = replace(api, info=api.info.model_copy(update={"standby": can}))
        waiting = bind(facts.listen_address, told)
        threading.Thread(target=waiting.serve, name="standby", daemon=True).start()
        _log.info("waiting: address=%s, to take over %s", facts.listen_address, facts.takes_over)
    while not ended.is_set() and not facts.holder.is_there():
        ended.wait(POLL)
    server = _bound(facts.takes_over, api, bind, ended)
    if waiting is not None:
        threading.Thread(target=waiting.stop, name="standby's end", daemon=True).start()
    return server


def _will_have_address(root: Path) -> bool:
    """Tell whether somebody on this machine takes up the card that it is to be given, if it is."""
    return not (root / wire.NETWORK_DATA).exists() or (root / wire.CARD_AWAITED).exists()


def _bound(
    address: str, api: Api, bind: Callable[[str, Api], Server], ended: threading.Event
) -> Server | None:
    """Listen at an address as soon as this machine has it and nobody else listens there."""
    said = ""
    while not ended.is_set():
        try:
            return bind(address, api)
        except GuestError as error:
            if said != (said := error.body.seen):
                _log.info("not to be found at %s yet: %s", address, said)
        ended.wait(POLL)
    return None
