"""Sessions of OpenStack's identity service, from the environment or from clouds.yaml."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from keystoneauth1 import exceptions, loading, session

from instar.client.errors import NotConfigured

_FOLDERS = (Path(), Path.home() / ".config/openstack", Path("/etc/openstack"))


@dataclass(frozen=True)
class Cloud:
    """A session, and which endpoint of its catalogue to take."""

    session: session.Session
    interface: str | None
    region_name: str | None


def from_environment() -> Cloud:
    """Make a session from OS_AUTH_URL and its kin. Raises NotConfigured naming what is missing."""
    env = os.environ
    return _load(
        env.get("OS_AUTH_TYPE", "password"),
        lambda name: env.get("OS_" + name.upper()),
        {
            "interface": env.get("OS_INTERFACE"),
            "region_name": env.get("OS_REGION_NAME"),
            "cacert": env.get("OS_CACERT"),
        },
        "the OS_* environment variables",
    )


def from_clouds(name: str) -> Cloud:
    """Make a session from the cloud `name` of clouds.yaml (and secure.yaml beside it).

    Looked for in the working directory, ~/.config/openstack and /etc/openstack. Raises NotConfigured.
    """
    for folder in _FOLDERS:
        cloud = _merge(_cloud(folder / "clouds.yaml", name), _cloud(folder / "secure.yaml", name))
        if cloud:
            auth = cloud.get("auth", {})
            return _load(cloud.get("auth_type", "password"), auth.get, cloud, f"{folder}/clouds.yaml")
    places = ", ".join(str(folder / "clouds.yaml") for folder in _FOLDERS)
    raise NotConfigured(f"Cloud {name!r} is not known", seen=f"looked in {places}")


def _load(kind: str, value: Callable[[str], Any], rest: Mapping[str, Any], where: str) -> Cloud:
    try:
        loader: loading.BaseLoader[Any] = loading.get_plugin_loader(kind)
        auth = loader.load_from_options_getter(lambda option: value(option.dest))
    except exceptions.ClientException as error:
        raise NotConfigured(f"{where} can't be used", seen=str(error)) from error
    verify = rest.get("cacert") or rest.get("verify", True)
    made = session.Session(auth=auth, verify=verify)
    return Cloud(made, rest.get("interface"), rest.get("region_name"))


def _cloud(path: Path, name: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise NotConfigured(f"{path} can't be read", seen=type(error).__name__) from error
    found = content.get("clouds", {}).get(name, {})
    return found if isinstance(found, dict) else {}


def _merge(cloud: dict[str, Any], secret: dict[str, Any]) -> dict[str, Any]:
    auth = {**cloud.get("auth", {}), **secret.get("auth", {})}
    return {**cloud, **secret, "auth": auth} if cloud else {}
