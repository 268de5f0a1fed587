"""The programs of the control plane, as commands of `instar`.

``serve`` is all in one process: the API, a worker, presence and notifications. ``api`` and ``worker`` are its
halves for more than one host; ``db upgrade`` brings the record store's schema up to date.
"""

import logging
import signal
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cheroot.wsgi import Server
from cliff.command import Command
from oslo_config import cfg
from sqlalchemy.exc import SQLAlchemyError

from instar.control import settings, wiring
from instar.control.guests.base import Guests
from instar.control.operations import close_undo
from instar.control.store import schema
from instar.wire.errors import InstarError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)
RECOVER_EVERY = 10.0
CATALOGUES_EVERY = 5.0
UNDO_WINDOWS_EVERY = 5.0


class Program(Command):
    """Base of the control plane's programs: their options, configuration, logs and signals."""

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """Add the options that every program has."""
        parser: ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--config-file", action="append", metavar="FILE", help="instar.conf (repeatable)")
        parser.add_argument("--state-dir", metavar="DIR", help="where everything is kept")
        return parser

    def configuration(self, parsed_args: Namespace) -> cfg.ConfigOpts:
        """Read the configuration; options of the command line go first."""
        given = {
            "state_dir": parsed_args.state_dir,
            "provider": getattr(parsed_args, "provider", None),
            "api.host": getattr(parsed_args, "host", None),
            "api.port": getattr(parsed_args, "port", None),
        }
        overrides = {name: value for name, value in given.items() if value is not None}
        return settings.load(parsed_args.config_file, overrides)

    def until_told_to_stop(self, parts: "list[Any]") -> None:
        """Start the parts, wait for SIGTERM or SIGINT, stop them in the opposite order."""
        told = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told.set())
        for part in parts:
            part.start()
        LOG.info("ready")
        while not told.wait(3600):
            pass
        LOG.info("stopping")
        for part in reversed(parts):
            part.stop()


class Listener:
    """The API behind a socket."""

    def __init__(self, conf: cfg.ConfigOpts, make: "Callable[[Callable[[], bool]], WSGIApplication]") -> None:
        self._stopping = threading.Event()
        self._url = f"http://{conf.api.host}:{conf.api.port}"
        self._server = Server(
            (str(conf.api.host), conf.api.port),
            make(self._stopping.is_set),
            numthreads=conf.api.threads,
            request_queue_size=128,
            server_name="instar",
        )
        self._server.shutdown_timeout = 2
        self._thread = threading.Thread(target=self._server.serve, name="api", daemon=True)

    def start(self) -> None:
        """Listen. Raises InstarError when the address is taken."""
        try:
            self._server.prepare()
        except OSError as error:
            raise InstarError(
                f"The API can't listen on {self._url}",
                seen=str(error),
                remedy="Stop what listens there, or choose another port with --port.",
            ) from None
        self._thread.start()
        LOG.info("API listens url=%s", self._url)

    def stop(self) -> None:
        """End the streams and the requests under way."""
        self._stopping.set()
        self._server.stop()
        self._thread.join()


class Regularly:
    """Does something every so often in a thread of its own; what fails is logged, and tried again."""

    def __init__(self, name: str, act: Callable[[], object], pause: float) -> None:
        self._name, self._act, self._pause = name, act, pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._act()
            except (InstarError, SQLAlchemyError) as error:
                LOG.error("%s failed error=%s", self._name, error)
            if self._stop.wait(self._pause):
                return


class Serve(Program):
    """Run the whole control plane in one process: API, worker, presence, notifications.

    Example: instar serve
    """

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """Add where to listen and what to run on."""
        parser = super().get_parser(prog_name)
        _add_api_options(parser)
        parser.add_argument("--provider", help="compute provider (default: local)")
        return parser

    def take_action(self, parsed_args: Namespace) -> None:
        """Serve until told to stop."""
        house = wiring.open_house(self.configuration(parsed_args))
        schema.upgrade(house.store)
        guests = wiring.make_guests(house)
        worker = wiring.make_worker(house, guests, wiring.make_outages())
        listener = Listener(house.conf, lambda stopping: wiring.make_door(house, worker.wake, stopping))
        _welcome_images(house)
        self.until_told_to_stop([listener, worker, *attendants(house, guests)])


class Api(Program):
    """Run the API alone; workers run elsewhere on the same record store.

    Example: instar api --config-file /etc/instar/instar.conf
    """

    def get_parser(self, prog_name: str) -> ArgumentParser:
        """Add where to listen."""
        parser = super().get_parser(prog_name)
        _add_api_options(parser)
        return parser

    def take_action(self, parsed_args: Namespace) -> None:
        """Serve until told to stop."""
        house = wiring.open_house(self.configuration(parsed_args))
        schema.require_current(house.store)
        self.until_told_to_stop(
            [Listener(house.conf, lambda stopping: wiring.make_door(house, stopping=stopping))]
        )


class RunWorker(Program):
    """Run one worker: it carries out operations, asks guests how they are, and sends notifications.

    Example: instar worker --config-file /etc/instar/instar.conf
    """

    def take_action(self, parsed_args: Namespace) -> None:
        """Work until told to stop."""
        house = wiring.open_house(self.configuration(parsed_args))
        schema.require_current(house.store)
        guests = wiring.make_guests(house)
        _welcome_images(house)
        self.until_told_to_stop(
            [wiring.make_worker(house, guests, wiring.make_outages()), *attendants(house, guests)]
        )


class UpgradeStore(Program):
    """Bring the record store's schema to the one that this release needs; repeatable.

    Example: instar db upgrade
    """

    def take_action(self, parsed_args: Namespace) -> None:
        """Run the migrations that are missing."""
        house = wiring.open_house(self.configuration(parsed_args))
        before = schema.current(house.store)
        schema.upgrade(house.store)
        self.app.stdout.write(f"Schema: {before or 'none'} -> {schema.current(house.store)}\n")


def attendants(house: wiring.House, guests: Guests) -> list[Any]:
    """Make what goes on beside a worker."""
    return [
        Regularly("recovery", house.provider.recover, RECOVER_EVERY),
        Regularly("catalogues", lambda: wiring.read_catalogues(house), CATALOGUES_EVERY),
        Regularly("undo windows", lambda: close_undo.close_due(house.store), UNDO_WINDOWS_EVERY),
        wiring.make_presence(house, guests),
        wiring.make_delivery(house),
    ]


def _add_api_options(parser: ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: 8779)")


def _welcome_images(house: wiring.House) -> None:
    for name in wiring.register_images(house):
        LOG.info("datastore version registered from its image version=%s", name)
    wiring.read_catalogues(house)
