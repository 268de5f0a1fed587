"""Guest images: `instar image build` makes what servers are made from.

The path of a build: ``recipe.py`` reads what is wanted, ``agent_source.py`` which agent goes along,
``order.py`` has both; ``packages.py`` fetches wheels with pip, once, for the Python that ``interpreter.py``
describes.
``tree_image.py`` tells the story of a tree for the local provider (``tree.py`` lays it out and seals it),
``system_image.py`` that of a whole Debian system (``system/``). ``guest_agent.py`` puts the agent in,
``programs.py`` runs the image's programs, ``parameters/`` asks its engine, ``extensions.py`` what it offers;
``store.py`` keeps the result.
"""

from instar.images.builder import build
from instar.images.recipe import Recipe

__all__ = ["Recipe", "build"]
