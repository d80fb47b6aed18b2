"""Passing a bundle on: to folders and storages, and to a fake of a model hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import autommlab
from autommlab.common.errors import DeploymentError, RequestError, StorageError
from autommlab.deployment import bundle_parts
from autommlab.deployment.pushing import push_bundle
from tests.helpers import tiny_bundles
from tests.helpers.fake_hub import FakeHub, fake_hub
from tests.helpers.fault_server import fault_server
from tests.helpers.program import autommlab_here

_DEPLOYMENT = Path(bundle_parts.__file__).parent


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A whole one, with what no bundle has beside."""
    folder = tiny_bundles.make_bundle(tmp_path / "run" / "bundle", "classification")
    shutil.copyfile(_DEPLOYMENT / "predict_template.py", folder / "predict.py")
    shutil.copytree(_DEPLOYMENT.parent / "bundle_runtime", folder / "bundle_runtime")
    (folder / "requirements.txt").write_text("numpy\n")
    (folder / "README.md").write_text("---\nlicense: other\n---\n\n# tiny\n")
    (folder / "notes.txt").write_text("mine")
    (folder / ".env").write_text("SECRET=1")
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return tiny_bundles.make_picture(tmp_path / "red.png")


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("by_uri", [False, True])
def test_a_copy_in_a_folder_predicts(by_uri: bool, bundle: Path, picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "shared" / "pets"
    told = push_bundle(bundle, target.as_uri() if by_uri else str(target))
    copied = files_of(target)
    assert set(copied) == set(told.files)
    assert not {"notes.txt", ".env"} & set(copied), "what is no part of the bundle stays"
    assert all(content == (bundle / name).read_bytes() for name, content in copied.items())
    shutil.rmtree(bundle)
    answer = autommlab.load_bundle(target).predict(picture)
    assert answer["label"] == "red"
    assert told.files[-1] == "bundle.json", "there is no bundle before all of it is there"


def test_a_bundle_is_replaced_only_with_force_and_without_leftovers(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "there"
    first = autommlab.load_bundle(bundle)
    first.push(target)
    (target / "model.bin").write_bytes(b"of an older engine")
    before = files_of(target)
    with pytest.raises(StorageError, match=r"holds a bundle\. --force replaces it"):
        first.push(target)
    assert files_of(target) == before
    (bundle / "labels.txt").write_text("red\ngreen\nblue\n# new\n")
    first.push(target, force=True)
    assert set(files_of(target)) == set(before) - {"model.bin"}
    assert (target / "labels.txt").read_text().endswith("# new\n")


@pytest.mark.parametrize("force", [False, True])
def test_files_that_are_of_no_bundle_are_never_replaced(force: bool, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / "work").mkdir(parents=True)
    (tmp_path / "home" / "work" / "thesis.tex").write_text("all of it")
    with pytest.raises(StorageError, match=r"no part of a bundle \(work/thesis\.tex\).*empty or new"):
        push_bundle(bundle, str(tmp_path / "home"), force=force)
    assert files_of(tmp_path / "home") == {"work/thesis.tex": b"all of it"}


@pytest.mark.parametrize("name", ["README.md", "predict.py", "model.onnx"])
def test_files_of_somebody_with_the_names_of_a_bundles_go_with_force_only(
    name: str, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / name).write_text("of somebody")
    with pytest.raises(StorageError, match=rf"not of this bundle \({name}\)\. --force replaces"):
        push_bundle(bundle, str(tmp_path / "home"))
    assert files_of(tmp_path / "home") == {name: b"of somebody"}
    push_bundle(bundle, str(tmp_path / "home"), force=True)
    assert autommlab.load_bundle(tmp_path / "home").task == "classification"


def test_a_model_of_another_program_is_never_deleted(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "model.pth").write_text("of somebody")
    with pytest.raises(StorageError, match=r"no part of a bundle \(model\.pth\)"):
        push_bundle(bundle, str(tmp_path / "home"), force=True)


@pytest.mark.parametrize("where", ["", "inside", "link", "uri"])
def test_a_bundle_is_not_pushed_onto_itself(where: str, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(bundle)
    targets = {"link": str(tmp_path / "link"), "uri": bundle.as_uri()}
    before = files_of(bundle)
    with pytest.raises(StorageError, match="is the bundle's own folder, or lies inside it"):
        push_bundle(bundle, targets.get(where, str(bundle / where)), force=True)
    assert files_of(bundle) == before


def test_an_interrupted_push_goes_on(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autommlab.deployment import pushing

    target, left = tmp_path / "over there", [3]
    whole = pushing.open_whole

    def failing(files: object, path: str) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return whole(files, path)

    monkeypatch.setattr(pushing, "open_whole", failing)
    with pytest.raises(
        StorageError, match=r"No space left on device.*go on with: autommlab push .*/bundle '.*over there'$"
    ):
        push_bundle(bundle, str(target))
    monkeypatch.undo()
    assert len(files_of(target)) == 3
    with pytest.raises(DeploymentError, match=r"it has no bundle\.json"):
        autommlab.load_bundle(target)
    push_bundle(bundle, str(target))
    assert autommlab.load_bundle(target).task == "classification"


@pytest.mark.parametrize(
    "lost",
    ["predict.py", "labels.txt", "model.onnx", "bundle.json", "bundle_runtime/__init__.py", "bundle_runtime/decode.py"],
)
def test_half_a_bundle_is_refused(lost: str, bundle: Path, tmp_path: Path) -> None:
    (bundle / lost).unlink()
    with pytest.raises(DeploymentError, match=r"is only a part of a bundle|lacks model\.onnx|it has no bundle\.json"):
        push_bundle(bundle, str(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


def test_a_bundle_that_its_run_did_not_deliver_so_is_refused(bundle: Path, tmp_path: Path) -> None:
    from autommlab.deployment.delivered import hashes_of
    from tests.helpers import report_records as records

    done = records.deployment(bundle.parent).model_copy(update={"bundle": bundle, "files": hashes_of(bundle)})
    (bundle.parent / "deployment.json").write_text(done.model_dump_json())
    (bundle / "README.md").write_text("---\nlicense: mit\n---\n")
    push_bundle(bundle, str(tmp_path / "there"))
    (bundle / "predict.py").write_text("print('other')\n")
    with pytest.raises(DeploymentError, match=r"part of a bundle: predict\.py is missing or changed"):
        push_bundle(bundle, str(tmp_path / "elsewhere"))


def test_destinations_that_are_none(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="--private is for a model hub"):
        push_bundle(bundle, str(tmp_path / "there"), private=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file; give a folder"):
        push_bundle(bundle, str(tmp_path / "file"))
    with pytest.raises(StorageError, match="is no storage"):
        push_bundle(bundle, "ftp://host/x")
    with pytest.raises(StorageError, match="the destination is an empty text"):
        push_bundle(bundle, "")
    short = ("hf://", "hf://me", "hf://a/b/c", "hf://../x", "hf://me/pets@main", "hf:me/pets", "HF://me/pets")
    for name in (*short, "hf://me/a--b", "hf://me/pets.git", f"hf://me/{'x' * 100}"):
        with pytest.raises(RequestError, match="names no repository of the hub; write hf://OWNER/NAME"):
            push_bundle(bundle, name)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    from huggingface_hub import constants

    with fake_hub() as found:
        monkeypatch.setattr(constants, "ENDPOINT", found.url)  # HF_ENDPOINT is read once, when it is imported
        template = f"{found.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", found.token)
        yield found


def test_the_hub_gets_a_bundle_and_gives_it_back(hub: FakeHub, bundle: Path, picture: Path) -> None:
    told = push_bundle(bundle, "hf://me/pets", private=True)
    held = hub.repositories["me/pets"]
    assert (told.where, hub.private) == (f"{hub.url}/me/pets", {"me/pets"})
    assert set(held) - {".gitattributes"} == set(told.files)
    assert all(held[name] == (bundle / name).read_bytes() for name in told.files)
    hub.calls.clear()
    loaded = autommlab.load_bundle("hf://me/pets")
    assert loaded.predict(picture) == autommlab.load_bundle(bundle).predict(picture)
    fetched = {call.rpartition("/")[2] for call in hub.calls}
    assert fetched == {"bundle.json", "model.onnx"}, "no program of the repository is fetched"


def test_a_bundle_on_the_hub_is_replaced_only_with_force(hub: FakeHub, bundle: Path) -> None:
    push_bundle(bundle, "hf://me/pets")
    hub.repositories["me/pets"]["model.xml"] = b"of an older engine"
    before = dict(hub.repositories["me/pets"])
    (bundle / "labels.txt").write_text("red\ngreen\nblue\nnew\n")
    with pytest.raises(StorageError, match="--force replaces it"):
        push_bundle(bundle, "hf://me/pets")
    with pytest.raises(StorageError, match="is public, and --private makes no public repository private"):
        push_bundle(bundle, "hf://me/pets", private=True, force=True)
    assert hub.repositories["me/pets"] == before
    push_bundle(bundle, "hf://me/pets", force=True)
    held = hub.repositories["me/pets"]
    assert set(held) == set(before) - {"model.xml"}
    assert held["labels.txt"].endswith(b"new\n")
    held["weights.pth"] = b"of somebody"
    with pytest.raises(StorageError, match=r"no part of a bundle \(weights\.pth\)"):
        push_bundle(bundle, "hf://me/pets", force=True)


def test_the_hub_refuses(hub: FakeHub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.fail["/api/repos/create"] = 403
    with pytest.raises(StorageError, match="cannot write hf://them/pets: your token has no right"):
        push_bundle(bundle, "hf://them/pets")
    hub.fail["/api/repos/create"] = 507
    with pytest.raises(StorageError, match="the hub answered 507"):
        push_bundle(bundle, "hf://them/pets")
    hub.fail.clear()
    with pytest.raises(StorageError, match="no such repository, or it is hidden"):
        autommlab.load_bundle("hf://me/nothing")
    hub.repositories["me/other"] = {"config.json": b"{}"}
    with pytest.raises(DeploymentError, match="hf://me/other is no bundle of AutoMMLab"):
        autommlab.load_bundle("hf://me/other")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(StorageError, match=r"the hub wants a token\. Log in once"):
        push_bundle(bundle, "hf://me/pets")
    assert "me/pets" not in hub.repositories


def test_a_readme_on_the_hub_is_not_replaced_unasked(hub: FakeHub, bundle: Path) -> None:
    hub.repositories["me/pets"] = {"README.md": b"---\nlicense: mit\n---\n"}
    with pytest.raises(StorageError, match=r"hf://me/pets holds files that are not of this bundle \(README\.md\)"):
        push_bundle(bundle, "hf://me/pets")
    push_bundle(bundle, "hf://me/pets", force=True)
    assert hub.repositories["me/pets"]["README.md"] == (bundle / "README.md").read_bytes()


def test_a_bundle_on_a_storage_is_copied_first() -> None:
    with pytest.raises(DeploymentError, match=r"s3://models/pets is on a storage.*Copy its folder"):
        autommlab.load_bundle("s3://models/pets")


def test_nobody_answers(hub: FakeHub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with fault_server() as closed:
        pass
    monkeypatch.setattr(constants, "ENDPOINT", closed)
    with pytest.raises(StorageError, match="the hub cannot be reached"):
        push_bundle(bundle, "hf://me/pets")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # the library tries a download five times otherwise
    with pytest.raises(StorageError, match=r"the hub cannot be reached.*HF_HUB_OFFLINE"):
        autommlab.load_bundle("hf://me/pets")


def test_the_command_says_where_it_lies(bundle: Path, tmp_path: Path) -> None:
    done = autommlab_here("push", str(bundle), str(tmp_path / "there"))
    assert done.code == 0, done.err
    assert done.out.strip().endswith(f"files: {tmp_path / 'there'}")
