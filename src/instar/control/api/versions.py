"""What the service is and whether it is well: API versions and health."""

from instar.control.api.call import Call
from instar.control.api.views.viewer import API
from instar.wire import rest


def index(call: Call) -> rest.ApiVersionsAnswer:
    """List the API's versions."""
    return rest.ApiVersionsAnswer(versions=[_version(call)])


def show(call: Call) -> rest.ApiVersionAnswer:
    """Show this version of the API."""
    return rest.ApiVersionAnswer(version=_version(call))


def health(call: Call) -> rest.HealthAnswer:
    """Tell whether requests can be served; 503 while the record store is away."""
    call.desk.store.ping()
    return rest.HealthAnswer(status="OK")


def _version(call: Call) -> rest.ApiVersion:
    link = rest.Link(rel="self", href=f"https://{call.viewer.host}/{API}/")
    return rest.ApiVersion(id=API, status="CURRENT", updated="2012-08-01T00:00:00Z", links=[link])
