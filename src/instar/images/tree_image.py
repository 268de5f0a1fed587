"""The story of an image for the local provider: a tree with an engine and an agent, for this machine."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from instar.images import extensions, guest_agent, parameters, programs, store, tree
from instar.images.interpreter import Interpreter, choose
from instar.images.order import Order, Wheels
from instar.wire.agent import IMAGE_MANIFEST, Manifest


def build(order: Order) -> Manifest:
    """Build a tree, or find it built."""
    with store.scratch(order.image_dir, order.progress, order.recipe.name) as scratch:
        interpreter = choose()
        wheels = order.fetch(interpreter)
        manifest = _describe(order, interpreter, wheels)
        built = _find(order.image_dir, manifest)
        if built is not None:
            order.progress("nothing has changed since it was built")
            return built
        root = scratch / "tree"
        tree.begin(root)
        tree.lay_out(root, order.recipe, wheels.engines, order.progress)
        order.progress(f"putting in the guest agent {order.agent_version}")
        guest_agent.install(root, wheels.agent, interpreter, order.agent, order.agent_version)
        guest_agent.compile_here(root, interpreter)
        return _finish(root, order, manifest)


def _describe(order: Order, interpreter: Interpreter, wheels: Wheels) -> Manifest:
    """Write down all that decides what the image holds; digest and time are left for the finished image."""
    python = {"python": f"{interpreter.version} {interpreter.path}"}
    return order.manifest(
        glibc=(os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc "),
        icu=_icu([*wheels.engines, wheels.agent]),
        extensions=extensions.offered(order.recipe, wheels.engines),
        built_from=wheels.versions() | python | order.sources(),
    )


def _icu(fetched: Iterable[Path]) -> str:
    """Tell the version of the ICU library that comes with the engine; empty when none does."""
    found = sorted(path.name for folder in fetched for path in folder.rglob("libicui18n*.so.*"))
    return found[-1].partition(".so.")[2] if found else ""


def _find(image_dir: Path, wanted: Manifest) -> Manifest | None:
    for image in store.images(image_dir):
        same = image.model_copy(update={"digest": "", "built_at": ""}) == wanted
        if same and store.parameters(image_dir, image.digest) is not None:
            return image
    return None


def _finish(root: Path, order: Order, manifest: Manifest) -> Manifest:
    (root / IMAGE_MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    tree.seal(root)
    place = root.parent / "place"
    place.mkdir()
    inside = programs.OfATree(root, place)
    order.progress("trying the programs")
    programs.check(inside, guest_agent.LAUNCHER, "", "--help")
    for program, version in order.recipe.checks.items():
        programs.check(inside, program, version)
    order.progress("asking the engine for its parameters")
    known = parameters.read(manifest.manager, manifest.engine_version, inside)
    order.progress("computing the digest")
    built_at = datetime.now(UTC).isoformat(timespec="seconds")
    whole = manifest.model_copy(update={"digest": tree.digest(root), "built_at": built_at})
    store.keep(order.image_dir, root, whole, known)
    return whole
