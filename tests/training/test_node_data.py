"""A bag on a node without the driver's disk: the folder and the drawn images are gone, as on a fresh machine."""

import shutil
from pathlib import Path

import pytest

from autommlab.common.errors import DataError
from autommlab.common.storage import place_of
from autommlab.data.bag import select_bag
from autommlab.data.remote import local_folder
from autommlab.settings import PROFILES
from autommlab.storage.mirror import Mirror
from autommlab.tasks import Task
from autommlab.training.node_data import _fetched_folder, bring_bag
from autommlab.understanding.request import ModelRequest
from tests.helpers.program import EXAMPLES


def content(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_bag_comes_from_the_storage_and_embedded_images_are_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOMMLAB_HOME", str(tmp_path / "home"))
    request = ModelRequest.read(EXAMPLES / "classify_animals.json")
    request = request.model_copy(
        update={"data": request.data.model_copy(update={"object": ["digits"], "specific": ["digits"]})}
    )
    budget = PROFILES["laptop"].tasks[Task.CLASSIFICATION].model_copy(update={"images": (60, 20, 20)})
    run = tmp_path / "run"
    bag = select_bag(request, budget=budget, folder=run / "bag", seed=0)
    place = place_of(f"file://{tmp_path}/storage/run")
    Mirror(place, run).push()
    before = content(run / "bag")
    shutil.rmtree(run)
    shutil.rmtree(tmp_path / "home" / "data")

    bring_bag(bag, place)
    assert content(run / "bag") == before
    images = [line.rpartition(" ")[0] for line in bag.annotation_file("train").read_text().splitlines()]
    assert images
    assert all(Path(image).exists() for image in images)

    shutil.rmtree(run)
    with pytest.raises(DataError, match=r"is not on the node .* --out URI"):
        bring_bag(bag, None)


def test_a_bag_does_not_choose_where_fetched_sets_are_written(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/set"
    usual = local_folder(uri)
    assert _fetched_folder(uri, usual) == usual
    elsewhere = tmp_path / "another home" / Path(*usual.parts[-4:])
    assert _fetched_folder(uri, elsewhere) == elsewhere
    for folder in (tmp_path, Path("/etc"), usual.parent, usual / "..", usual.with_name("other")):
        with pytest.raises(DataError, match="no folder for fetched sets"):
            _fetched_folder(uri, folder)
