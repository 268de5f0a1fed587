"""What can go wrong while an image is built."""

from instar.wire.errors import InstarError


class BuildError(InstarError):
    """The image could not be built; nothing half-made is left behind."""

    code = "image_build"


class PublishError(InstarError):
    """The image could not be published; what is left of it in the cloud looks like no image of ours."""

    code = "image_publish"
