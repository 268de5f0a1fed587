"""The API for a WSGI server that is not ours, such as gunicorn or uWSGI: `instar.control.wsgi:application`.

It reads `instar.conf` as every program does; INSTAR_CONFIG_FILES names another one. A server may load it
before it forks its processes or in each of them. Workers run elsewhere on the same record store.
"""

from typing import TYPE_CHECKING

from instar.control import settings, wiring
from instar.control.store import schema

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_application() -> "WSGIApplication":
    """Make the API. Raises InstarError when its record store is away or has another release's schema."""
    house = wiring.open_house(settings.load())
    schema.require_current(house.store)
    door = wiring.make_door(house)
    house.store.close()  # of what is open now, processes that are forked would share one end
    return door


application = make_application()
