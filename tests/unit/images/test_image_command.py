import json
from io import StringIO
from pathlib import Path

import pytest
from cliff.app import App
from cliff.commandmanager import CommandManager

from instar.images.command import BuildImage, ListImages
from instar.wire.agent import Manifest


@pytest.fixture
def image_dir(tmp_path: Path) -> Path:
    (tmp_path / "ab/tree").mkdir(parents=True)
    image = Manifest(
        digest="sha256:ab",
        recipe="toy-1.0",
        datastore="toy",
        manager="toy",
        engine_version="1.0",
        version_name="one",
        agent_version="0.1",
        built_at="2026-01-01T00:00:00+00:00",
    )
    (tmp_path / "ab/manifest.json").write_text(image.model_dump_json())
    return tmp_path


@pytest.fixture
def said() -> StringIO:
    return StringIO()


@pytest.fixture
def app(said: StringIO) -> App:
    app = App("for tests", "1", CommandManager("no.such.group"), stdout=said)
    app.command_manager.add_command("image build", BuildImage)
    app.command_manager.add_command("image list", ListImages)
    return app


def test_images_are_listed_as_json(app: App, said: StringIO, image_dir: Path) -> None:
    assert app.run(["image", "list", "--image-dir", str(image_dir), "-f", "json"]) == 0
    assert json.loads(said.getvalue()) == [
        {
            "name": "toy-1.0",
            "datastore": "toy",
            "version": "one",
            "agent_version": "0.1",
            "format": "tree",
            "os": "",
            "built_at": "2026-01-01T00:00:00+00:00",
            "digest": "sha256:ab",
        }
    ]


def test_an_unknown_recipe_fails_in_a_line_and_makes_no_directory(
    app: App, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert app.run(["image", "build", "postgresql-1", "--image-dir", str(tmp_path / "images")]) == 1
    assert "There is no image recipe postgresql-1" in caplog.text
    assert not (tmp_path / "images").exists()
