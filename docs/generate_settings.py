"""The reference of settings, made from the options themselves."""

from collections.abc import Iterator
from typing import Any

import rst

from instar.control import settings

_HEAD = """\
The programs ``instar serve``, ``instar api``, ``instar worker`` and ``instar db upgrade`` read
``instar.conf``: the files given by ``--config-file``, else the one found in ``~/.instar``, ``~``,
``/etc/instar`` or ``/etc``. ``--state-dir``, ``--host``, ``--port`` and ``--provider`` go before the file.
``oslo-config-generator --namespace instar`` prints a sample.
"""
_FOREIGN = """\
The file also holds the sections of the libraries that Instar stands on: logging in ``[DEFAULT]``
(oslo.log), ``[oslo_messaging_notifications]`` (oslo.messaging), ``[oslo_policy]`` (oslo.policy) and
``[keystone_authtoken]`` (keystonemiddleware). Their own documentation lists them; the guides show what
Instar needs of them.
"""


def make() -> str:
    """Make the page's text."""
    sections = [
        "\n".join([rst.heading(f"[{name or 'DEFAULT'}]", "-"), *map(_option, options)])
        for name, options in settings.list_opts()
    ]
    return "\n".join(
        [rst.heading("Settings"), _HEAD, *sections, rst.heading("Other sections", "-"), _FOREIGN]
    )


def _option(option: Any) -> str:
    facts = "".join(f"   :{name}: {value}\n" for name, value in _facts(option))
    return f"``{option.name}``\n   {rst.prose(option.help)}\n\n{facts}"


def _facts(option: Any) -> Iterator[tuple[str, str]]:
    yield "Type", str(option.type.type_name)
    default = option.default if option.sample_default is None else option.sample_default
    yield "Default", "none" if default is None else rst.literal(str(default))
    for value, told in (getattr(option.type, "choices", None) or {}).items():
        yield f"``{value}``", rst.prose(told or "")
    least = getattr(option.type, "min", None)
    if least is not None and option.type.type_name != "port value":
        yield "At least", str(least)
