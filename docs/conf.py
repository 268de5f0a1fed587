"""Settings of Sphinx; pages below reference/generated are made from the code at the start of each build."""

import importlib
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import instar  # noqa: E402

project = "Instar"
version = release = instar.__version__
project_copyright = "The Instar authors, Apache-2.0"
extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
default_role = "literal"
html_theme = "furo"
html_title = f"Instar {version}"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

PAGES = {
    "cli": "cli.rst",
    "compatibility": "compatibility.inc",
    "hooks": "hooks.rst",
    "rest": "rest.rst",
    "settings": "settings.rst",
    "states": "states.rst",
}


def setup(app: Any) -> None:
    """Have the generated pages written before Sphinx looks for its sources."""
    app.connect("builder-inited", _generate)


def _generate(_app: Any) -> None:
    directory = HERE / "reference" / "generated"
    directory.mkdir(exist_ok=True)
    for name, file in PAGES.items():
        page = directory / file
        text = importlib.import_module(f"generate_{name}").make()
        if not page.exists() or page.read_text() != text:
            page.write_text(text)
