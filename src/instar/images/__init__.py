"""Guest images for the local provider: `instar image build` makes what servers are unpacked from.

The path of a build: ``recipe.py`` reads what is wanted; ``interpreter.py`` picks the guest's Python;
``packages.py`` fetches packages with pip, once; ``tree.py`` lays out, seals and digests the tree;
``guest_agent.py`` puts the agent into it; ``builder.py`` tells the story; ``store.py`` keeps the result.
"""

from instar.images.builder import build
from instar.images.recipe import Recipe

__all__ = ["Recipe", "build"]
