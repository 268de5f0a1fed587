"""Puts the control plane together: the only file that names concrete providers, guests and notifiers."""

import json
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_log import log as oslo_log
from sqlalchemy.exc import SQLAlchemyError
from stevedore import DriverManager
from stevedore.exception import NoMatches

from instar.control import settings
from instar.control.api import tokens
from instar.control.api.app import make_app
from instar.control.api.policies import Gate
from instar.control.api.request_ids import RequestIds
from instar.control.catalog import catalogues, register
from instar.control.engine.runner import Work
from instar.control.engine.worker import Worker
from instar.control.events.deliver import Delivery, notifier
from instar.control.guests.authority import Authority
from instar.control.guests.base import Guests, Outages
from instar.control.guests.channel import Channels
from instar.control.guests.outages import Outages as Watches
from instar.control.guests.presence import Presence
from instar.control.operations.context import Context
from instar.control.operations.desk import Desk
from instar.control.operations.stories import STORIES
from instar.control.providers.base import Provider
from instar.control.store.private import write_private
from instar.control.store.sealing import Sealer
from instar.control.store.session import Store
from instar.wire.errors import BadRequest, InstarError, Unavailable

LOG = logging.getLogger(__name__)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class House:
    """What every program of the control plane stands on."""

    conf: cfg.ConfigOpts
    store: Store
    sealer: Sealer
    provider: Provider


def open_house(conf: cfg.ConfigOpts) -> House:
    """Set up the logs and build the house. Raises Unavailable while its record store does not answer."""
    oslo_log.setup(conf, "instar")
    house = build(conf)
    try:
        house.store.ping()
    except SQLAlchemyError as error:
        raise Unavailable(
            f"The record store {house.store.url.render_as_string(hide_password=True)} does not answer",
            seen=str(error).splitlines()[0],
            remedy="Start it, or correct option url in section [store].",
            retryable=True,
        ) from None
    return house


def build(conf: cfg.ConfigOpts, provider: Provider | None = None) -> House:
    """Open the store, find the keys and load the provider; makes the state directory when there is none."""
    state_dir = Path(conf.state_dir).absolute()
    state_dir.mkdir(parents=True, exist_ok=True)
    state_dir.chmod(0o711)  # servers under uids of their own pass through; what is private is 0600
    url = conf.store.url or _own_records(state_dir)
    return House(
        conf=conf,
        store=Store(url),
        sealer=Sealer.from_file(settings.state_path(conf, conf.store.seal_key_file, "seal.key")),
        provider=provider or load_provider(conf),
    )


def _own_records(state_dir: Path) -> str:
    """Give the URL of the SQLite file below the state directory; what it holds is nobody else's to read."""
    path = state_dir / "instar.db"
    path.touch(mode=0o600)
    return f"sqlite:///{path}"


def load_provider(conf: cfg.ConfigOpts) -> Provider:
    """Load the provider that the configuration names. Raises BadRequest for an unknown one."""
    try:
        driver: Any = DriverManager("instar.providers", conf.provider).driver
    except NoMatches as error:
        raise BadRequest(
            f"provider: there is none called {conf.provider!r}",
            seen=str(error),
            remedy="Name one of the installed entry points `instar.providers`.",
        ) from None
    provider: Provider = driver.from_settings(settings.provider_section(conf))
    return provider


def make_guests(house: House) -> Channels:
    """Make the channels to the guests, and the certificate authority when there is none."""
    section = house.conf.guests
    return Channels(Authority(settings.state_path(house.conf, section.tls_dir, "tls")), section.port)


def make_outages() -> Outages:
    """Make what watches instances from outside."""
    return Watches()


def make_worker(house: House, guests: Guests, outages: Outages) -> Worker:
    """Make a worker that runs every story on the house's provider."""

    def context(work: Work) -> Context:
        window = house.conf.upgrade.undo_window
        return Context(work, house.provider, guests, house.sealer, house.store, outages, window)

    return Worker(house.store, STORIES, context, settings.worker(house.conf))


def make_presence(house: House, guests: Guests) -> Presence:
    """Make what asks instances at rest how they are."""
    return Presence(house.store, guests, house.conf.guests.interval, house.conf.guests.limit)


def make_delivery(house: House) -> Delivery:
    """Make what carries events to the notifier."""
    return Delivery(house.store, notifier(house.conf, f"instar.{socket.gethostname()}"))


def make_desk(house: House, wake: Callable[[], None]) -> Desk:
    """Make the desk that requests are worked at."""
    return Desk(
        store=house.store,
        sealer=house.sealer,
        flavors=house.provider.flavors,
        abilities=house.provider.abilities,
        newest_image=house.provider.newest_image,
        wake=wake,
        answer_timeout=house.conf.api.answer_timeout,
        defaults=settings.upgrade_defaults(house.conf),
        quotas=dict(house.conf.quotas),
        streams=BoundedSemaphore(max(house.conf.api.threads // 2, 1)),
    )


def make_door(
    house: House, wake: Callable[[], None] = lambda: None, stopping: Callable[[], bool] = lambda: False
) -> "WSGIApplication":
    """Make the WSGI application with its authentication in front."""
    app: WSGIApplication = make_app(make_desk(house, wake), Gate(house.conf), stopping=stopping)
    if house.conf.api.auth == "keystone":
        from instar.control.api import keystone  # half a second that one machine need not wait for

        return RequestIds(keystone.protect(app, house.conf))
    return RequestIds(tokens.StaticTokens(app, local_tokens(house.conf)))


def local_tokens(conf: cfg.ConfigOpts) -> dict[str, tokens.Holder]:
    """Read the static tokens; at first start one is made, and `client.json` so that clients find it."""
    holder = tokens.Holder(project=conf.api.project, user="admin", roles=["admin"])
    holders = tokens.ensure(settings.state_path(conf, conf.api.token_file, "tokens.json"), holder)
    for token, owner in holders.items():
        if owner.project == conf.api.project:
            _write_client_file(conf, token)
            break
    return holders


def _write_client_file(conf: cfg.ConfigOpts, token: str) -> None:
    path = Path(conf.state_dir).absolute() / "client.json"
    access = {
        "endpoint": f"http://{conf.api.host}:{conf.api.port}",
        "project": conf.api.project,
        "token": token,
    }
    write_private(path, json.dumps(access, indent=2), replace=True)


def read_catalogues(house: House) -> list[str]:
    """Have images tell their parameters for versions that lack them; gives the versions' names.

    Cheap when nothing is missing. What can't be read now is tried again at the next call.
    """
    with house.store.read() as session:
        lacking = [(version.id, version.image, version.name) for version in catalogues.missing(session)]
    names = []
    for version_id, image, name in lacking:
        try:
            if catalogues.refresh(house.store, version_id, image or "", house.provider.parameters):
                names.append(name)
        except InstarError as error:
            LOG.debug("parameters not read version=%s image=%s error=%s", name, image, error)
    return names


def register_images(house: House) -> list[str]:
    """Make images known as datastore versions that no version knows yet; gives the new versions' names."""
    names = []
    for image in sorted(house.provider.images(), key=lambda image: image.manifest.built_at):
        try:
            with house.store.begin() as session:
                version = register.register_image(session, image.ref, image.manifest)
                names += [f"{version.datastore.name} {version.name}"] if version else []
        except BadRequest as error:  # another program was faster, or the manifest is no good
            LOG.warning("image not registered image=%s reason=%s", image.ref, error)
    return names
