"""The story of an image that is a whole Debian system: files for containers, or a bootable disk."""

import os
import re
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from instar.images import extensions, guest_agent, parameters, programs, store, tree
from instar.images.disk import filling, initrd, machine
from instar.images.disk import init as disk_init
from instar.images.errors import BuildError
from instar.images.interpreter import Interpreter, of_system
from instar.images.order import Order, Wheels
from instar.images.recipe import Recipe, System
from instar.images.system import archive, bootstrap, chroot, finishing, init
from instar.images.system.bootstrap import Base
from instar.wire.agent import IMAGE_MANIFEST, Manifest, Parameter

_WRITABLE = ("etc/instar", "var/lib/instar", "var/log")
"""Every guest's own folders on its root disk."""

_EVERYBODYS = ("run", "tmp")
"""In memory, and of the mode that the image has them in: container engines copy it."""

_VERSION = re.compile(r"\d+(\.\d+)+")


def build(order: Order, system: System) -> Manifest:
    """Build a system, or find it built."""
    bootstrap.check_machine()
    if order.format == "qcow2":
        machine.check_builder()
        system = machine.extend(system)
    with store.scratch(order.image_dir, order.progress, order.recipe.name) as scratch:
        base, files = bootstrap.make(system, order.progress, mirror_uri=order.mirror, fresh=order.fresh)
        python = of_system(base.python, base.glibc)
        wheels = order.fetch(python)
        sources = _sources(order, base, wheels)
        built = _find(order, sources)
        if built is not None:
            order.progress("nothing has changed since it was built")
            return built
        root, place = scratch / "root", scratch / "place"
        place.mkdir()
        order.progress(f"unpacking {base.os}")
        archive.unpack(files, root)
        _lay_out(root, place, order, wheels, python)
        writable = _open(root, (*_WRITABLE, *system.writable))
        order.progress("trying the programs")
        inside = chroot.Inside(root, place)
        if order.format == "qcow2":
            programs.check(inside, guest_agent.LAUNCHER, "--user", "--help")
        engine_version = _try(inside, order.recipe, system)
        manifest = order.manifest(
            engine_version=engine_version,
            format=order.format,
            os=base.os,
            glibc=base.glibc,
            icu=_icu(inside, system.server),
            extensions=extensions.of_root(root, order.recipe.datastore, engine_version),
            writable=writable,
            built_from=sources,
        )
        order.progress("asking the engine for its parameters")
        known = parameters.read(order.recipe.manager, engine_version, inside)
        return _keep(root, order, manifest, known)


def _sources(order: Order, base: Base, wheels: Wheels) -> dict[str, str]:
    """Write down all that decides what the image holds."""
    debian = {f"debian/{name}": version for name, version in base.packages.items()}
    debian |= {f"suite/{name}": date for name, date in base.suites.items()}
    return debian | wheels.versions() | {"python": base.python} | order.sources()


def _find(order: Order, sources: dict[str, str]) -> Manifest | None:
    for image in store.images(order.image_dir):
        same = image.built_from == sources and image.agent_version == order.agent_version
        if (
            same
            and image.format == order.format
            and store.parameters(order.image_dir, image.digest) is not None
        ):
            return image
    return None


def _lay_out(root: Path, place: Path, order: Order, wheels: Wheels, python: Interpreter) -> None:
    tree.lay_out(root, order.recipe, wheels.engines, order.progress)
    order.progress(f"putting in the guest agent {order.agent_version}")
    guest_agent.install(root, wheels.agent, python, order.agent, order.agent_version)
    finishing.compile_python(root, place, [f"/{guest_agent.FOLDER}"])
    (disk_init if order.format == "qcow2" else init).install(root)
    for folder in _EVERYBODYS:
        (root / folder).chmod(0o1777)


def _open(root: Path, folders: Iterable[str]) -> list[str]:
    """Make the folders that are the guest's own and name them and all below; all may read what is in them."""
    found = set()
    for name in folders:
        (root / name).mkdir(parents=True, exist_ok=True)
        for path in (root / name, *(root / name).rglob("*")):
            if path.is_symlink():
                continue
            if path.is_dir():
                found.add(path.relative_to(root).as_posix())
            path.chmod(stat.S_IMODE(path.stat().st_mode) | (0o755 if path.is_dir() else 0o444))
    return sorted(found)


def _try(inside: chroot.Inside, recipe: Recipe, system: System) -> str:
    """Run the image's programs as a guest would; gives the engine's version as the server says it."""
    programs.check(inside, guest_agent.LAUNCHER, "", "--help")
    guest_agent.check_modules(inside)
    for program, expected in recipe.checks.items():
        programs.check(inside, program, expected)
    said = programs.check(inside, system.server, "")
    version = _VERSION.search(said)
    if version is None:
        raise BuildError(
            f"The server {system.server} tells no version",
            seen=said.strip()[-500:],
            remedy="Name a program that tells its version under system.server in the recipe.",
        )
    return version[0]


def _icu(inside: chroot.Inside, server: str) -> str:
    """Tell the version of the ICU library that the server links; empty when it links none."""
    linked = re.search(r"libicui18n\S* => (\S+)", inside.run("usr/bin/ldd", f"/{server}").stdout)
    if linked is None:
        return ""
    library = inside.root / linked[1].lstrip("/")
    return os.path.realpath(library).partition(".so.")[2]


def _keep(root: Path, order: Order, manifest: Manifest, known: list[Parameter]) -> Manifest:
    (root / IMAGE_MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    target = root.parent / store.CONTENT[order.format]
    if order.format == "qcow2":
        digest = _write_disk(root, target, order, manifest)
    else:
        order.progress("writing the archive")
        digest = archive.pack(root, target)
    target.chmod(0o444)
    built_at = datetime.now(UTC).isoformat(timespec="seconds")
    whole = manifest.model_copy(update={"digest": digest, "built_at": built_at})
    store.keep(order.image_dir, target, whole, known)
    return whole


def _write_disk(root: Path, target: Path, order: Order, manifest: Manifest) -> str:
    """Make the disk; kernel and initrd lie where the boot loader reads them, not in the system."""
    machine.settle(root, manifest.writable)
    scratch = root.parent / "disk"
    scratch.mkdir()
    kernel = scratch / "vmlinuz"
    order.progress("packing the initrd")
    loaded = {"vmlinuz": kernel, "initrd.gz": initrd.make(root, scratch)}
    (root / f"boot/vmlinuz-{initrd.version(root)}").rename(kernel)
    for leftover in (root / "boot").iterdir():
        leftover.unlink()
    return filling.write(root, loaded, target, scratch, manifest.built_from, order.progress)
