"""Flavors: the sizes on offer."""

from instar.client._http import Http, segment
from instar.wire.rest import Flavor, FlavorAnswer, FlavorsAnswer


class Flavors:
    """Look at flavors."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> list[Flavor]:
        """List all flavors."""
        return self._http.get("/flavors", FlavorsAnswer).flavors

    def resolve(self, flavor: str | Flavor) -> str:
        """Give a flavor's id; what is neither an id nor a name is given back, for the door to judge."""
        if not isinstance(flavor, str):
            return flavor.str_id
        return next((known.str_id for known in self.list() if flavor == known.name), flavor)

    def get(self, flavor: str) -> Flavor:
        """Read a flavor by its id. Raises NotFound."""
        return self._http.get(f"/flavors/{segment(flavor)}", FlavorAnswer).flavor
