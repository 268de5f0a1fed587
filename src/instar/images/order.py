"""What is to be built, and how: what both stories of a build go by."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from instar.images import guest_agent, packages
from instar.images.agent_source import AgentSource
from instar.images.interpreter import Interpreter
from instar.images.recipe import Recipe
from instar.images.store import Progress
from instar.wire.agent import ImageFormat, Manifest


@dataclass(frozen=True)
class Wheels:
    """Folders of unpacked wheels: one for each of the recipe's packages, one of all that the agent needs."""

    engines: Sequence[Path]
    agent: Path

    def versions(self) -> dict[str, str]:
        """Tell all that was fetched, each with its exact version."""
        folders = (*self.engines, self.agent)
        return {name: version for folder in folders for name, version in packages.versions(folder).items()}


@dataclass(frozen=True)
class Order:
    """A recipe, the agent that goes with it, and where the image is to lie; see `builder.build`."""

    recipe: Recipe
    agent: AgentSource
    image_dir: Path
    progress: Progress
    fresh: bool = False
    mirror: str | None = None
    format: ImageFormat = "oci"
    """Of a system; a tree is a tree."""

    def fetch(self, interpreter: Interpreter) -> Wheels:
        """Fetch wheels for a guest's Python."""
        engines = [
            packages.fetch([package.requirement], interpreter, self.progress, fresh=self.fresh)
            for package in self.recipe.packages
        ]
        needs = self.agent.requirements
        agent = packages.fetch(needs, interpreter, self.progress, dependencies=True, fresh=self.fresh)
        return Wheels(engines, agent)

    def sources(self) -> dict[str, str]:
        """Give the digests of what Instar itself puts into the image."""
        recipe = hashlib.sha256(self.recipe.model_dump_json().encode()).hexdigest()
        return {"instar": guest_agent.sources(self.agent), "recipe": f"sha256:{recipe}"}

    def manifest(self, **known: object) -> Manifest:
        """Write down what is known of the image, beside what the recipe says."""
        return Manifest.model_validate(
            {
                "recipe": self.recipe.name,
                "datastore": self.recipe.datastore,
                "manager": self.recipe.manager,
                "engine_version": self.recipe.engine_version,
                "version_name": self.recipe.version_name,
                "upgrade_from": list(self.recipe.upgrade_from),
                "agent_version": self.agent_version,
                **known,
            }
        )

    @property
    def agent_version(self) -> str:
        """Version that the agent tells."""
        return self.agent.version + self.recipe.agent_suffix
