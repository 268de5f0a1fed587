"""`instar image publish`."""

import argparse
from typing import TYPE_CHECKING, Any

from cliff.show import ShowOne

from instar.images import publishing
from instar.images.errors import PublishError
from instar.images.progress import add_image_dir, telling
from instar.wire.agent import Manifest

if TYPE_CHECKING:
    from openstack.image.v2._proxy import Proxy


class PublishImage(ShowOne):
    """Upload a disk to Glance and register it as a datastore version (administrators only).

    What is there already is found, so it may be repeated. The cloud is that of --os-cloud, else of OS_CLOUD,
    or of OS_AUTH_URL and its kin.

    Example: OS_CLOUD=lab instar image publish postgresql-17 --default
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument("image", metavar="IMAGE", help="digest, or the recipe whose newest disk is meant")
        parser.add_argument(
            "--default", action=argparse.BooleanOptionalAction, help="whether its datastore's default version"
        )
        parser.add_argument(
            "--no-version", action="store_true", help="upload only, register no datastore version"
        )
        parser.add_argument(
            "--tag",
            action="append",
            default=[],
            help="give it this tag in Glance; the version then means the newest image with all these tags",
        )
        add_image_dir(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        app: Any = self.app  # gives the client, which no part of Instar but the command line knows
        image_dir = parsed_args.image_dir.absolute()
        manifest = publishing.choose(image_dir, parsed_args.image)
        with telling(manifest.recipe) as progress:
            image = publish(
                _glance(app.options.os_cloud), image_dir, manifest, progress, tags=parsed_args.tag
            )
            if not parsed_args.no_version:
                progress(f"registering {manifest.datastore} {manifest.version_name}")
                meaning = {"image_tags": parsed_args.tag} if parsed_args.tag else {"image": image}
                _register(app.client, manifest, meaning, parsed_args.default)
        return (
            ("name", "datastore", "version", "image", "digest"),
            (manifest.recipe, manifest.datastore, manifest.version_name, image, manifest.digest),
        )


def publish(*args: Any, **more: Any) -> str:
    """Publish, with what the cloud's library raises put into words."""
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException

    try:
        return publishing.publish(*args, **more)
    except (SDKException, ClientException) as error:
        raise PublishError(
            "The cloud did not take the image", seen=str(error), remedy="Mend that and publish it again."
        ) from error


def refuse_to_drop_tags(version: Any, meaning: dict[str, Any]) -> None:
    """Raise PublishError where the version means the newest image with tags that are not given here."""
    if version.image_tags and not {*version.image_tags} <= {*meaning.get("image_tags", [])}:
        tags = " ".join(f"--tag {tag}" for tag in version.image_tags)
        raise PublishError(
            f"Version {version.name} means the newest image with its tags, and this one lacks some",
            seen=f"it is in Glance; the version's tags are {', '.join(version.image_tags)}",
            remedy=f"Publish it with {tags}, or with --no-version.",
        )


def _glance(cloud: str | None) -> "Proxy":
    import openstack
    from openstack.exceptions import SDKException

    try:
        glance: Any = openstack.connect(cloud=cloud).image
        found: Proxy = glance
        return found
    except SDKException as error:
        raise PublishError(
            "There is no cloud to publish to",
            seen=str(error),
            remedy="Name one of clouds.yaml with --os-cloud, or set OS_CLOUD or OS_AUTH_URL and its kin.",
        ) from error


def _register(client: Any, manifest: Manifest, meaning: dict[str, Any], default: bool | None) -> None:
    """Have the version of the manifest's name mean an image, or tags; and be reached from where that says."""
    wanted = meaning | ({} if default is None else {"default": default})
    if manifest.upgrade_from:
        wanted["upgrade_from"] = manifest.upgrade_from
    for datastore in client.datastores.list():
        for version in datastore.versions:
            if (datastore.name, version.name) == (manifest.datastore, manifest.version_name):
                refuse_to_drop_tags(version, meaning)
                client.versions.update(version, **wanted)
                return
    wanted |= {"manager": manifest.manager, "version": manifest.engine_version}
    client.versions.create(manifest.datastore, manifest.version_name, **wanted)
