"""The superuser of an instance's database."""

from instar.client import _answers
from instar.client._http import Http
from instar.client._instances import Instances
from instar.client._names import Named
from instar.wire.rest import EnableRootRequest, RootAnswer, User, UserAnswer


class Root:
    """Let the superuser in over the network, or shut it out."""

    def __init__(self, http: Http, instances: Instances) -> None:
        self._http = http
        self._instances = instances

    def is_enabled(self, instance: str | Named) -> bool:
        """Tell whether the superuser may log in over the network."""
        return self._http.get(self._path(instance), RootAnswer).rootEnabled

    def enable(self, instance: str | Named, password: str | None = None) -> User:
        """Let the superuser in; the answer holds its password, made by the control plane if not given."""
        body = _answers.build(EnableRootRequest, **({"password": password} if password else {}))
        response = self._http.request("POST", self._path(instance), json=body)
        return _answers.parse(UserAnswer, response).user

    def disable(self, instance: str | Named) -> None:
        """Shut the superuser out. Raises NotFound when it was never let in."""
        self._http.request("DELETE", self._path(instance))

    def _path(self, instance: str | Named) -> str:
        return f"{self._instances.path(instance)}/root"
