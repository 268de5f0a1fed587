"""The fake's images, flavors and ports."""

from instar.control.providers.base import FlavorSpec, Handle, Image, Port
from instar.control.providers.fake.verbs import Verbs, make_handle, name_of, verb
from instar.wire.agent import Manifest
from instar.wire.errors import NotFound, ProviderError


class FakeImages(Verbs):
    """Images as they were added, and three sizes."""

    def __init__(self) -> None:
        super().__init__()
        self._images: dict[str, Image] = {}

    def add_image(self, manifest: Manifest) -> str:
        """Put an image into the store; gives its ref: the manifest's digest, or one made up."""
        ref = manifest.digest or f"fake:{manifest.recipe}:{manifest.engine_version}:{manifest.agent_version}"
        self._images[ref] = Image(ref, manifest.model_copy(update={"digest": ref}))
        return ref

    @verb
    def images(self) -> list[Image]:
        """List the images that were added."""
        return list(self._images.values())

    @verb
    def image(self, ref: str) -> Image:
        """Find one image. Raises NotFound."""
        return self._image(ref)

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
        return self._images[ref]


class FakePorts(Verbs):
    """Ports with an address each, of which there are `addresses`."""

    addresses: int

    def __init__(self) -> None:
        super().__init__()
        self._ports: dict[str, Port] = {}

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
    def destroy_port(self, handle: Handle) -> None:
        """Give the address back."""
        self._ports.pop(name_of(handle, "port"), None)
