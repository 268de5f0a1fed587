"""The story of a build: look for what is there, fetch, lay out, seal, try the programs, keep."""

import errno
import hashlib
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import instar
from instar.images import extensions, guest_agent, packages, parameters, store, tree
from instar.images.errors import BuildError
from instar.images.interpreter import Interpreter, choose
from instar.images.recipe import Recipe
from instar.images.store import Progress
from instar.wire.agent import IMAGE_MANIFEST, Manifest


def build(
    recipe: Recipe, image_dir: Path, progress: Progress = lambda _: None, *, fresh: bool = False
) -> Manifest:
    """Build the recipe's image into the directory, or find it there when nothing it is made of has changed.

    `fresh` fetches every package again, at the newest version that fits. The image appears whole or not at
    all, and may be built again at any time. Raises BuildError.
    """
    try:
        with store.scratch(image_dir, progress) as scratch:
            interpreter = choose()
            engines = [
                packages.fetch([package.requirement], interpreter, progress, fresh=fresh)
                for package in recipe.packages
            ]
            needs = guest_agent.requirements()
            agent = packages.fetch(needs, interpreter, progress, dependencies=True, fresh=fresh)
            manifest = _describe(recipe, interpreter, engines, agent)
            built = _find(image_dir, manifest)
            if built is not None:
                progress("nothing has changed since it was built")
                return built
            root = scratch / "tree"
            _lay_out(root, recipe, engines, progress)
            progress(f"putting in the guest agent {manifest.agent_version}")
            guest_agent.install(root, agent, interpreter, manifest.agent_version)
            return _finish(root, recipe, manifest, image_dir, progress)
    except OSError as error:
        raise _explain(error, image_dir) from error


def _describe(recipe: Recipe, interpreter: Interpreter, engines: list[Path], agent: Path) -> Manifest:
    """Write down all that decides what the image holds; digest and time are left for the finished image."""
    fetched = [*engines, agent]
    sources = {name: version for folder in fetched for name, version in packages.versions(folder).items()}
    sources["instar"] = guest_agent.sources()
    sources["python"] = f"{interpreter.version} {interpreter.path}"
    sources["recipe"] = f"sha256:{hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()}"
    return Manifest(
        recipe=recipe.name,
        datastore=recipe.datastore,
        manager=recipe.manager,
        engine_version=recipe.engine_version,
        version_name=recipe.version_name,
        agent_version=instar.__version__ + recipe.agent_suffix,
        glibc=(os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc "),
        icu=_icu(fetched),
        extensions=extensions.offered(recipe, engines),
        built_from=sources,
    )


def _icu(fetched: list[Path]) -> str:
    """Tell the version of the ICU library that comes with the engine; empty when none does."""
    found = sorted(path.name for folder in fetched for path in folder.rglob("libicui18n*.so.*"))
    return found[-1].partition(".so.")[2] if found else ""


def _find(image_dir: Path, wanted: Manifest) -> Manifest | None:
    for image in store.images(image_dir):
        same = image.model_copy(update={"digest": "", "built_at": ""}) == wanted
        if same and store.parameters(image_dir, image.digest) is not None:
            return image
    return None


def _lay_out(root: Path, recipe: Recipe, engines: list[Path], progress: Progress) -> None:
    tree.begin(root)
    for package, fetched in zip(recipe.packages, engines, strict=True):
        progress(f"unpacking {package.requirement}")
        for source, target in package.folders.items():
            if not (fetched / source).is_dir():
                raise BuildError(
                    f"Package {package.requirement} has no folder {source}",
                    seen=", ".join(sorted(path.name for path in fetched.iterdir())),
                    remedy=f"Name a folder of the package under packages.folders in recipe {recipe.name}.",
                )
            tree.add(fetched / source, root / target)


def _finish(root: Path, recipe: Recipe, manifest: Manifest, image_dir: Path, progress: Progress) -> Manifest:
    (root / IMAGE_MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    tree.seal(root)
    progress("trying the programs")
    _try(root / guest_agent.LAUNCHER, "--help", "")
    for program, version in recipe.checks.items():
        _try(root / program, "--version", version)
    progress("asking the engine for its parameters")
    known = parameters.read(root, recipe, root.parent)
    progress("computing the digest")
    whole = manifest.model_copy(
        update={"digest": tree.digest(root), "built_at": datetime.now(UTC).isoformat(timespec="seconds")}
    )
    store.keep(image_dir, root, whole, known)
    return whole


def _try(program: Path, option: str, expected: str) -> None:
    """Run a program of the finished tree as a guest would, without our libraries and paths."""
    bare = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [program, option], env=bare, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"The image's program {program.name} can't be run", seen=str(error)) from error
    if done.returncode != 0 or expected not in done.stdout:
        raise BuildError(
            f"The image's program {program.name} does not work as the recipe says",
            seen=f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}",
            remedy=f"Expected exit status 0 and {expected or 'its help'}; mend the recipe.",
        )


def _explain(error: OSError, image_dir: Path) -> BuildError:
    remedies = {
        errno.ENOSPC: "Free some space (an image takes about 100 MB, and as much while it is built).",
        errno.EACCES: "Choose a directory that you may write to with --image-dir, or set INSTAR_STATE_DIR.",
    }
    return BuildError(
        f"The image could not be written to {image_dir}",
        seen=str(error),
        remedy=remedies.get(error.errno or 0, "Mend that and build again."),
    )
