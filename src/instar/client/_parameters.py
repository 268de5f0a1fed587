"""The parameters that datastore versions have."""

from instar.client._http import Http, segment
from instar.client._names import Named
from instar.client._versions import Versions
from instar.wire.rest import Parameter, ParametersAnswer


class Parameters:
    """Look at what can be set; a version may be given by id, name or object."""

    def __init__(self, http: Http, versions: Versions) -> None:
        self._http = http
        self._versions = versions

    def list(self, version: str | Named, datastore: str | Named | None = None) -> list[Parameter]:
        """List the parameters of a version by name; none where its image tells none."""
        return self._http.get(self._path(version, datastore), ParametersAnswer).parameters

    def get(self, version: str | Named, name: str, datastore: str | Named | None = None) -> Parameter:
        """Read one parameter. Raises NotFound."""
        return self._http.get(f"{self._path(version, datastore)}/{segment(name)}", Parameter)

    def _path(self, version: str | Named, datastore: str | Named | None) -> str:
        found = self._versions.get(version, datastore).id if isinstance(version, str) else version.id
        return f"/datastores/versions/{segment(found)}/parameters"
