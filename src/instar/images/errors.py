"""What can go wrong while an image is built."""

from instar.wire.errors import InstarError


class BuildError(InstarError):
    """The image could not be built; nothing half-made is left behind."""

    code = "image_build"
