"""The cloud, asked through openstacksdk: one connection, whose token renews itself when it has expired."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import openstack
import tenacity
from openstack import exceptions as sdk

import instar
from instar.control.providers.openstack import failures
from instar.control.providers.openstack.settings import OpenStackSettings
from instar.wire.errors import ProviderError

COMPUTE, BLOCK_STORAGE = "2.90", "3.50"
"""Versions of the APIs that are spoken: Xena's and Queens', and what newer clouds still understand."""
POLL = 0.3

T = TypeVar("T")


class Cloud:
    """One cloud, as the service account sees it; any number of threads may ask it at once."""

    def __init__(self, settings: OpenStackSettings) -> None:
        self._settings = settings

    @functools.cached_property
    def _connection(self) -> Any:
        files = [str(self._settings.clouds_file)] if self._settings.clouds_file else None
        try:
            config = openstack.config.OpenStackConfig(
                config_files=files, app_name="instar", app_version=instar.__version__
            )
            region = config.get_one(
                cloud=self._settings.cloud,
                api_timeout=self._settings.timeout,
                compute_default_microversion=COMPUTE,
                block_storage_default_microversion=BLOCK_STORAGE,
            )
            return openstack.connection.Connection(config=region)
        except failures.Failures as error:
            raise ProviderError(
                "The cloud's access data can't be read",
                seen=str(error),
                remedy="name an entry of a clouds.yaml by options cloud, clouds_file of section [openstack]",
            ) from error

    @functools.cached_property
    def project(self) -> str:
        """The id of the service account's project, which owns all that is made here."""
        return str(self.ask("tell our project", lambda api: api.current_project_id))

    def ask(self, purpose: str, question: Callable[[Any], T]) -> T:
        """Put a question to the cloud. Raises ProviderError saying what the `purpose` was."""
        try:
            return question(self._connection)
        except failures.Failures as error:
            raise failures.told(purpose, error) from error

    def find(self, purpose: str, question: Callable[[Any], T]) -> T | None:
        """Put a question about something that may not be there; None when it isn't."""

        def asked(api: Any) -> T | None:
            try:
                return question(api)
            except sdk.NotFoundException:
                return None

        return self.ask(purpose, asked)

    def wait(self, look: Callable[[], T | None]) -> T | None:
        """Look again and again, for as long as a call may take; None when nothing was seen by then."""
        seen: T | None = tenacity.Retrying(
            stop=tenacity.stop_after_delay(self._settings.patience),
            wait=tenacity.wait_fixed(POLL),
            retry=tenacity.retry_if_result(lambda seen: seen is None),
            retry_error_callback=lambda state: None,
        )(look)
        return seen


def oldest(things: Iterable[Any]) -> Any | None:
    """Choose among things of one name, as every caller would: the one that was made first."""
    return min(things, key=lambda each: (each.created_at, each.id), default=None)


def is_named(wanted: str, thing: Any) -> bool:
    """Tell whether `wanted` is a thing's id or name."""
    return wanted in (thing.id, thing.name)
