"""The fake's images, flavors and ports."""

from collections.abc import Iterable, Sequence

from instar.control.providers.base import AccessRule, FlavorSpec, Handle, Image, Port
from instar.control.providers.fake.verbs import Verbs, make_handle, name_of, verb
from instar.wire.agent import Manifest, Parameter
from instar.wire.errors import NotFound, ProviderError


class FakeImages(Verbs):
    """Images as they were added, and three sizes."""

    def __init__(self) -> None:
        super().__init__()
        self._images: dict[str, Image] = {}
        self._parameters: dict[str, list[Parameter]] = {}
        self._tags: dict[str, Sequence[str]] = {}
        self._agents: dict[str, str] = {}
        self.damaged: set[str] = set()
        self.dead: set[str] = set()

    def add_image(
        self, manifest: Manifest, parameters: Iterable[Parameter] = (), tags: Sequence[str] = ()
    ) -> str:
        """Put an image into the store; gives its ref: the manifest's digest, or one made up."""
        ref = manifest.digest or f"fake:{manifest.recipe}:{manifest.engine_version}:{manifest.agent_version}"
        self._images[ref] = Image(ref, manifest.model_copy(update={"digest": ref}))
        self._parameters[ref] = list(parameters)
        self._tags[ref] = tags
        return ref

    # accidents; `damaged` and `dead` hold refs of images: of the latter, servers come up and no guest answers

    def lose_image(self, ref: str) -> None:
        """Have an image vanish from the store."""
        del self._images[ref], self._tags[ref]

    def swap_agent(self, ref: str, version: str) -> None:
        """Have an image hold another agent than its manifest says."""
        self._agents[ref] = version

    def boots(self, ref: str) -> Manifest:
        """Tell what truly is in an image, for a fake guest that boots from it."""
        manifest = self._images[ref].manifest
        return manifest.model_copy(update={"agent_version": self._agents.get(ref, manifest.agent_version)})

    # verbs

    @verb
    def images(self) -> list[Image]:
        """List the images that were added."""
        return list(self._images.values())

    @verb
    def image(self, ref: str) -> Image:
        """Find one image. Raises NotFound."""
        return self._image(ref)

    @verb
    def newest_image(self, tags: Sequence[str]) -> str | None:
        """Find the image that was added last with all tags."""
        found = [ref for ref, borne in self._tags.items() if {*tags} <= {*borne}]
        return found[-1] if found else None

    @verb
    def parameters(self, ref: str) -> list[Parameter]:
        """List the settings that were added with the image."""
        return list(self._parameters[self._image(ref).ref])

    @verb
    def flavors(self) -> list[FlavorSpec]:
        """List three sizes."""
        return [
            FlavorSpec("1", "small", 1024, 1),
            FlavorSpec("2", "medium", 2048, 2),
            FlavorSpec("3", "large", 4096, 4),
        ]

    def _image(self, ref: str) -> Image:
        if ref not in self._images:
            raise NotFound(f"No image {ref}")
        if ref in self.damaged:
            raise ProviderError(f"Image {ref} is damaged", seen="its content is not what its digest says")
        return self._images[ref]


class FakePorts(Verbs):
    """Ports with an address each, of which there are `addresses`."""

    addresses: int

    def __init__(self) -> None:
        super().__init__()
        self._ports: dict[str, Port] = {}
        self.rules: dict[str, AccessRule] = {}

    @verb
    def find_port(self, name: str) -> Handle | None:
        """Find the port called `name`."""
        return make_handle("port", name) if name in self._ports else None

    @verb
    def ensure_port(self, name: str, hostname: str) -> Port:
        """Find or make a port. Raises ProviderError when every address is in use."""
        if name not in self._ports:
            taken = {port.address for port in self._ports.values()}
            free = (f"10.0.{number // 250}.{number % 250 + 1}" for number in range(self.addresses))
            address = next((address for address in free if address not in taken), None)
            if address is None:
                raise ProviderError("Every address is in use", seen=f"{len(taken)} ports")
            self._ports[name] = Port(make_handle("port", name), address, hostname)
        return self._ports[name]

    @verb
    def limit_access(self, handle: Handle, rule: AccessRule) -> None:
        """Note whom a port lets in."""
        name = name_of(handle, "port")
        if name not in self._ports:
            raise ProviderError("The port is gone", seen=name)
        self.rules[name] = rule

    @verb
    def destroy_port(self, handle: Handle) -> None:
        """Give the address back."""
        self.rules.pop(name_of(handle, "port"), None)
        self._ports.pop(name_of(handle, "port"), None)
