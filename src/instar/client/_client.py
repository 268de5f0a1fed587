"""The client: one way in, one manager for each kind of thing."""

from pathlib import Path

from keystoneauth1 import adapter, session, token_endpoint

from instar import __version__
from instar.client import _keystone, _local
from instar.client._configurations import Configurations
from instar.client._databases import Databases
from instar.client._datastores import Datastores
from instar.client._flavors import Flavors
from instar.client._http import Http
from instar.client._instances import Instances
from instar.client._operations import Operations
from instar.client._parameters import Parameters
from instar.client._plans import Plans
from instar.client._probes import Probes
from instar.client._quotas import Quotas
from instar.client._root import Root
from instar.client._users import Users
from instar.client._versions import Versions


class Client:
    """A connection to a control plane; its attributes are the managers.

    Of a control plane whose token is known (what is not given is found as `local` finds it), or through a
    keystoneauth session and the service catalogue:

        >>> Client(endpoint="http://127.0.0.1:8779", project="demo", token="...")
        >>> Client(session=session, region_name="RegionOne")

    Managers: `instances`, `operations`, `datastores`, `versions`, `flavors`, `databases`, `users`, `root`,
    `plans`, `probes`, `configurations`, `parameters`, `quotas`.
    Wherever one takes an instance or a version, an id, a name or an object will do.
    Making a client asks nothing of the network. It may be shared by threads as far as its session may.
    """

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        project: str | None = None,
        token: str | None = None,
        session: session.Session | None = None,
        service_type: str = "database",
        interface: str | None = None,
        region_name: str | None = None,
        state_dir: Path | str | None = None,
    ) -> None:
        if session is None:
            http = _direct(_local.find(_local.Access(endpoint, project, token), state_dir))
        else:
            channel = adapter.Adapter(
                session,
                service_type=service_type,
                interface=interface or "public",
                region_name=region_name,
                endpoint_override=endpoint,
                user_agent=f"instar/{__version__}",
            )
            http = Http(
                channel, endpoint or f"the catalogue's {service_type} endpoint", "the session's identity"
            )
        self.operations = Operations(http)
        self.flavors = Flavors(http)
        self.instances = Instances(http, self.operations)
        self.datastores = Datastores(http)
        self.versions = Versions(http, self.datastores)
        self.plans = Plans(http, self.instances, self.operations)
        self.probes = Probes(http, self.instances)
        self.parameters = Parameters(http, self.versions)
        self.configurations = Configurations(http, self.instances, self.operations)
        self.databases = Databases(http, self.instances)
        self.users = Users(http, self.instances)
        self.root = Root(http, self.instances)
        self.quotas = Quotas(http)

    @classmethod
    def local(cls, state_dir: Path | str | None = None) -> "Client":
        """Connect to this machine's control plane, or the one that INSTAR_ENDPOINT and its kin name.

        What INSTAR_ENDPOINT, INSTAR_PROJECT and INSTAR_TOKEN leave open is read from `client.json` below
        `state_dir` (INSTAR_STATE_DIR, else /var/lib/instar for root, ~/.local/share/instar for others).
        Raises NotConfigured, saying where it looked.
        """
        return cls(state_dir=state_dir)

    @classmethod
    def cloud(cls, name: str | None = None) -> "Client":
        """Connect through Keystone: cloud `name` of clouds.yaml, or without a name the OS_* environment."""
        found = _keystone.from_clouds(name) if name else _keystone.from_environment()
        return cls(session=found.session, interface=found.interface, region_name=found.region_name)


def _direct(access: _local.Access) -> Http:
    made = session.Session(auth=token_endpoint.Token(access.project_endpoint(), access.token))
    channel = adapter.Adapter(made, service_type="database", user_agent=f"instar/{__version__}")
    return Http(channel, access.endpoint or "", access.source)
