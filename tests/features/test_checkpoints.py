"""Checkpoints as their authors save them: the one encoder that they evaluate is read, whole, and nothing of another."""

import argparse
import re
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from flawsight.core import FlawsightError
from flawsight.features import Extractor
from flawsight.features.networks import create_network

State = dict[str, Tensor]
Network = Callable[[int], nn.Module]


def drawn(name: str, seed: int) -> nn.Module:
    """A network whose every tensor is drawn, also those of its batch norms."""
    network, generator = create_network(name, "random", 64).module, torch.Generator().manual_seed(seed)
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return network


@pytest.fixture(scope="module")
def encoders() -> tuple[nn.Module, nn.Module]:
    return drawn("resnet18", 1), drawn("resnet18", 2)


def headed(network: nn.Module, head: nn.Module) -> nn.Module:
    other = deepcopy(network)
    other.fc = head
    return other


def together(**parts: nn.Module) -> nn.Module:
    whole = nn.Module()
    for name, part in parts.items():
        whole.add_module(name, part)
    return whole


def parallel(network: nn.Module) -> dict[str, Tensor]:
    return nn.DataParallel(network).state_dict()


def moco(one: nn.Module, other: nn.Module, head: nn.Module) -> nn.Module:
    """moco/builder.py"""
    whole = together(encoder_q=headed(one, head), encoder_k=headed(other, deepcopy(head)))
    whole.register_buffer("queue", torch.rand(8, 16))
    whole.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.long))
    return whole


def of_moco(one: nn.Module, other: nn.Module) -> Any:
    state = parallel(moco(one, other, nn.Linear(512, 8)))
    return {"epoch": 200, "arch": "resnet18", "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}


def of_moco_v2(one: nn.Module, other: nn.Module) -> Any:
    head = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 8))
    return {"epoch": 800, "arch": "resnet18", "state_dict": parallel(moco(one, other, head))}


def of_moco_v3(one: nn.Module, other: nn.Module) -> Any:
    """moco-v3/moco/builder.py"""
    head = nn.Sequential(nn.Linear(512, 8, bias=False), nn.BatchNorm1d(8))
    whole = together(base_encoder=headed(one, head), momentum_encoder=headed(other, deepcopy(head)), predictor=head)
    return {"epoch": 300, "state_dict": parallel(whole), "scaler": {"scale": 65536.0}}


def of_dino(one: nn.Module, other: nn.Module) -> Any:
    """main_dino.py"""
    teacher, student = (
        parallel(together(backbone=headed(network, nn.Identity()), head=nn.Sequential(nn.Linear(512, 8))))
        for network in (one, other)
    )
    loss = {"center": torch.zeros(1, 8)}
    options = argparse.Namespace(arch="resnet18", out_dim=8)
    return {"student": student, "teacher": teacher, "epoch": 100, "args": options, "dino_loss": loss}


def of_dino_backbone(one: nn.Module, other: nn.Module) -> Any:
    del other
    return headed(one, nn.Identity()).state_dict()


def of_swav(one: nn.Module, other: nn.Module) -> Any:
    """swav_800ep_pretrain.pth.tar: src/resnet50.py in DistributedDataParallel"""
    del other
    network = headed(one, nn.Identity())
    network.projection_head = nn.Sequential(nn.Linear(512, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8))
    network.prototypes = nn.Linear(8, 30, bias=False)
    return OrderedDict(parallel(network))


def of_barlow_twins(one: nn.Module, other: nn.Module) -> Any:
    """main.py: checkpoint.pth"""
    del other
    projector = nn.Sequential(nn.Linear(512, 16, bias=False), nn.BatchNorm1d(16))
    whole = together(backbone=headed(one, nn.Identity()), projector=projector, bn=nn.BatchNorm1d(16, affine=False))
    return {"epoch": 1000, "model": parallel(whole), "optimizer": {}}


def of_sela(one: nn.Module, other: nn.Module) -> Any:
    """models/resnetv1.py, whose features alone are in DataParallel"""
    del other
    parts = (one.conv1, one.bn1, one.relu, one.maxpool, one.layer1, one.layer2, one.layer3, one.layer4, nn.AvgPool2d(7))
    whole = together(features=nn.DataParallel(nn.Sequential(*parts)))
    for number in range(10):
        whole.add_module(f"top_layer{number}", nn.Linear(512, 30))
    return {"epoch": 280, "arch": "resnet", "state_dict": whole.state_dict(), "L": torch.zeros(10, 5)}


def of_sela_by_torchvision(one: nn.Module, other: nn.Module) -> Any:
    """change_state_dict.py"""
    del other
    return {"state_dict": headed(one, nn.Linear(512, 3000)).state_dict(), "labels": torch.zeros(1, 5)}


def of_vissl(one: nn.Module, other: nn.Module) -> Any:
    """vissl/models/trunks/resnext.py"""
    del other
    blocks = OrderedDict(one.named_children())
    blocks.pop("fc")
    trunk = together(_feature_blocks=nn.ModuleDict(blocks)).state_dict()
    model = {"trunk": trunk, "heads": nn.ModuleList([nn.Linear(512, 8)]).state_dict()}
    return {"phase_idx": 199, "loss": {"info": 1}, "classy_state_dict": {"base_model": {"model": model, "meters": []}}}


def of_vissl_trunk(one: nn.Module, other: nn.Module) -> Any:
    return {"model_state_dict": of_vissl(one, other)["classy_state_dict"]["base_model"]["model"]["trunk"]}


def of_simclr_v1(one: nn.Module, other: nn.Module) -> Any:
    """tonylins/simclr-converter"""
    del other
    return {"state_dict": one.state_dict()}


def of_simclr_backbone(one: nn.Module, other: nn.Module) -> Any:
    """sthalles/SimCLR"""
    del other
    head = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 8))
    return {"epoch": 200, "arch": "resnet18", "state_dict": together(backbone=headed(one, head)).state_dict()}


def of_simclr_encoder(one: nn.Module, other: nn.Module) -> Any:
    """Spijkervet/SimCLR"""
    del other
    return together(encoder=headed(one, nn.Identity()), projector=nn.Sequential(nn.Linear(512, 8))).state_dict()


def of_simclr_convnet(one: nn.Module, other: nn.Module) -> Any:
    """AndrewAtanov/simclr-pytorch"""
    del other
    whole = together(convnet=headed(one, nn.Identity()), projection=nn.Sequential(nn.Linear(512, 8)))
    return {"state_dict": whole.state_dict(), "hparams": argparse.Namespace(arch="resnet18")}


def of_torchvision(one: nn.Module, other: nn.Module) -> Any:
    """references/classification/train.py"""
    average = {"n_averaged": torch.tensor(3), **parallel(other)}
    return {"model": one.state_dict(), "model_ema": average, "args": argparse.Namespace(lr=0.1), "epoch": 90}


def of_pytorch_examples(one: nn.Module, other: nn.Module) -> Any:
    """imagenet/main.py, whose best measure was a numpy number in some"""
    del other
    return {"state_dict": parallel(one), "best_acc1": np.float64(69.8), "curve": np.arange(3)}


FORMATS = [
    of_moco, of_moco_v2, of_moco_v3, of_dino, of_dino_backbone, of_swav, of_barlow_twins, of_sela,
    of_sela_by_torchvision, of_vissl, of_vissl_trunk, of_simclr_v1, of_simclr_backbone, of_simclr_encoder,
    of_simclr_convnet, of_torchvision, of_pytorch_examples,
]  # fmt: skip


def features_of(network: nn.Module) -> State:
    return {name: value for name, value in network.state_dict().items() if not name.startswith("fc.")}


def same(found: State, expected: State) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


def saved(content: Any, tmp_path: Path) -> Path:
    torch.save(content, tmp_path / "checkpoint.pth.tar")
    return tmp_path / "checkpoint.pth.tar"


@pytest.mark.parametrize("form", FORMATS)
def test_the_encoder_is_read_whole(form: Callable, encoders: tuple[nn.Module, nn.Module], tmp_path: Path) -> None:
    network = create_network("resnet18", saved(form(*encoders), tmp_path), 64)
    assert same(features_of(network.module), features_of(encoders[0]))
    assert all(name.startswith("fc.") for name in network.missing)


def state_in(content: Any) -> State:
    """The state dict that is read of a checkpoint, in place."""
    for key in ("classy_state_dict", "base_model", "model", "trunk", "model_state_dict", "teacher", "state_dict"):
        if isinstance(content.get(key), dict):
            content = content[key]
    return content


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("lacking", ["conv1.weight", "layer2.0.bn2.running_var", "layer4.1.bn2.bias"])
def test_a_gap_is_named_and_not_filled_from_elsewhere(
    form: Callable, lacking: str, encoders: tuple[nn.Module, nn.Module], tmp_path: Path
) -> None:
    content, value = form(*encoders), encoders[0].state_dict()[lacking]
    state = state_in(content)
    (key,) = [key for key, tensor in state.items() if torch.equal(tensor, value)]  # every tensor was drawn
    del state[key]
    with pytest.raises(FlawsightError, match=rf"do not belong to 'resnet18': 1 missing \({re.escape(lacking)}\)"):
        create_network("resnet18", saved(content, tmp_path), 64)


@pytest.mark.parametrize("form", [of_moco, of_moco_v3, of_dino, of_torchvision])
def test_of_two_encoders_the_order_in_the_file_chooses_none(
    form: Callable, encoders: tuple[nn.Module, nn.Module], tmp_path: Path
) -> None:
    content = form(*encoders)
    if form in (of_moco, of_moco_v3):
        content["state_dict"] = dict(reversed(content["state_dict"].items()))
    network = create_network("resnet18", saved(dict(reversed(content.items())), tmp_path), 64)
    assert same(features_of(network.module), features_of(encoders[0]))


@pytest.mark.parametrize(
    ("form", "parts"),
    [
        (of_moco, ("read the query encoder in 'state_dict'", "ignored 126 tensors (module.queue, module.queue_ptr, "
                   "module.encoder_q.fc, ...)")),
        (of_moco_v3, ("read the base encoder", "(module.base_encoder.fc, module.momentum_encoder, module.predictor)")),
        (of_dino, ("read the backbone in 'teacher', not 'student', 'dino_loss'", "ignored 2 tensors (module.head)")),
        (of_swav, ("ignored 10 tensors (module.projection_head, module.prototypes)",)),
        (of_sela, ("read the features in 'state_dict'; ignored 20 tensors (top_layer0, top_layer1, top_layer2, ...)",)),
        (of_sela_by_torchvision, ("ignored 2 tensors (fc)",)),
        (of_torchvision, ("read the network in 'model', not 'model_ema'",)),
    ],
)  # fmt: skip
def test_what_was_read_and_ignored_is_said_in_a_line(
    form: Callable, parts: tuple[str, ...], encoders: tuple[nn.Module, nn.Module], tmp_path: Path
) -> None:
    remark = create_network("resnet18", saved(form(*encoders), tmp_path), 64).remark
    assert all(part in remark for part in ("checkpoint.pth.tar", *parts)) and "\n" not in remark, remark


@pytest.mark.parametrize("form", [of_simclr_v1, of_pytorch_examples])
def test_nothing_is_said_of_the_network_itself(
    form: Callable, encoders: tuple[nn.Module, nn.Module], tmp_path: Path
) -> None:
    network = create_network("resnet18", saved(form(*encoders), tmp_path), 64)
    assert network.remark == "" and not network.missing
    assert same(network.module.state_dict(), encoders[0].state_dict())


def test_the_same_from_a_safetensors_file(encoders: tuple[nn.Module, nn.Module], tmp_path: Path) -> None:
    save_file(
        {key: value.clone() for key, value in of_moco(*encoders)["state_dict"].items()}, tmp_path / "m.safetensors"
    )
    network = create_network("resnet18", tmp_path / "m.safetensors", 64)
    assert same(features_of(network.module), features_of(encoders[0]))


def test_a_name_that_comes_twice(encoders: tuple[nn.Module, nn.Module], tmp_path: Path) -> None:
    content = {**parallel(encoders[0]), "conv1.weight": encoders[1].conv1.weight}
    with pytest.raises(FlawsightError, match=r"twice: 'module\.conv1\.weight' and 'conv1\.weight'"):
        create_network("resnet18", saved(content, tmp_path), 64)


class Normed(nn.Sequential):
    def __init__(self, norm: nn.Module) -> None:
        super().__init__(norm, nn.ReLU())


def test_simclr_v2(tmp_path: Path) -> None:
    """Separius/SimCLRv2-Pytorch: resnet.py and convert.py"""
    source = drawn("resnet50", 3)
    whole = [nn.Sequential(source.conv1, Normed(source.bn1), source.maxpool)]
    for stage in (source.layer1, source.layer2, source.layer3, source.layer4):
        blocks = nn.ModuleList()
        for block in stage:
            net = (block.conv1, Normed(block.bn1), block.conv2, Normed(block.bn2), block.conv3, Normed(block.bn3))
            side = nn.Identity()
            if block.downsample:
                side = together(shortcut=block.downsample[0], bn=Normed(block.downsample[1]))
            blocks.append(together(projection=side, net=nn.Sequential(*net)))
        whole.append(together(blocks=blocks))
    state = together(net=nn.Sequential(*whole), fc=source.fc).state_dict()
    path = saved({"resnet": state, "head": nn.Linear(8, 8).state_dict()}, tmp_path)
    found = create_network("resnet50", path, 64)
    assert same(found.module.state_dict(), source.state_dict()) and "not 'head'" in found.remark


def test_densenets_as_torchvision_published_them(tmp_path: Path) -> None:
    source = drawn("densenet121", 4)
    state = {re.sub(r"(norm|conv)([12]\.)", r"\1.\2", key): value for key, value in source.state_dict().items()}
    assert state.keys() != source.state_dict().keys()
    assert same(create_network("densenet121", saved(state, tmp_path), 64).module.state_dict(), source.state_dict())


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "torchvision:squeezenet1_1", "tf_efficientnet_lite0"])
def test_other_networks_in_a_wrapper(name: str, tmp_path: Path) -> None:
    source = drawn(name, 5)
    content = {"teacher": parallel(together(backbone=source)), "student": parallel(drawn(name, 6))}
    assert same(create_network(name, saved(content, tmp_path), 64).module.state_dict(), source.state_dict())


def test_attention_that_shapes_do_not_tell(tmp_path: Path) -> None:
    name = "vit_tiny_patch16_224"  # 3 heads
    path = saved({"state_dict": parallel(together(base_encoder=drawn(name, 1)))}, tmp_path)
    with pytest.raises(FlawsightError, match="12 heads; this has 3"):
        create_network(name, path, 64)


@pytest.mark.parametrize(
    ("file", "network", "parts"),
    [
        ("resnet34", "resnet18", ("96 not its own", r"layer1\.2\.conv1\.weight")),
        ("resnet18", "resnet34", (r"missing \(layer1\.2\.conv1\.weight", r"\.\.\.")),
        ("resnet18", "resnet50", (r"layer1\.0\.conv3\.weight", r"layer1\.0\.conv1\.weight, \(64, 64, 3, 3\) and not")),
        ("wide_resnet50_2", "resnet50", ("of another shape", r"\(128, 64, 1, 1\) and not \(64, 64, 1, 1\)")),
        ("squeezenet1_1", "resnet18", (r"missing \(conv1\.weight", "not its own")),
    ],
)
def test_another_architecture_is_refused_by_name(
    file: str, network: str, parts: tuple[str, ...], tmp_path: Path
) -> None:
    state = getattr(torchvision.models, file)(weights=None).state_dict()
    for content in (state, {"state_dict": {f"module.encoder_q.{key}": value for key, value in state.items()}}):
        with pytest.raises(FlawsightError) as caught:
            create_network(network, saved(content, tmp_path), 64)
        text = str(caught.value)
        assert f"checkpoint.pth.tar' do not belong to '{network}'" in text and len(text) < 700
        if content is state:
            assert all(re.search(part, text) for part in parts), text


@pytest.mark.parametrize("block", ["layer4", "layer3", "layer2.1", "layer1.0"])
def test_a_file_may_end_after_a_block(
    block: str, encoders: tuple[nn.Module, nn.Module], tmp_path: Path, resnet18: Extractor
) -> None:
    names = list(encoders[0].state_dict())
    first = next(number for number, name in enumerate(names) if name.startswith(block))
    state = {f"backbone.{name}": encoders[0].state_dict()[name] for name in names[:first]}
    extractor = Extractor("resnet18", saved(state, tmp_path), image_size=64)
    assert f"nothing can be read from {block}" in extractor.network.remark
    assert extractor.layers == resnet18.layers[: len(extractor.layers)]
    assert all(not layer.name.startswith(block) for layer in extractor.layers)
    with pytest.raises(FlawsightError, match="missing"):
        create_network("resnet18", saved(dict(list(state.items())[:-4]), tmp_path), 64)


class Options:
    """What a trainer keeps of itself."""


@pytest.mark.parametrize("is_zip", [True, False])
def test_objects_that_are_not_needed_are_never_made(
    is_zip: bool, encoders: tuple[nn.Module, nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"args": argparse.Namespace(a=1), "best": np.float32(1.5), **of_pytorch_examples(*encoders)}
    path = tmp_path / "old.pth"
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    if not is_zip:  # as numpy 1 named it
        path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))

    def made(*_: object, **__: object) -> None:
        pytest.fail("an object was made")

    monkeypatch.setattr(argparse.Namespace, "__setattr__", made)
    found = create_network("resnet18", path, 64)
    assert same(found.module.state_dict(), encoders[0].state_dict())
    assert argparse.Namespace not in [
        one for one in torch.serialization.get_safe_globals() if not isinstance(one, tuple)
    ]


@pytest.mark.parametrize("content", [{"hparams": Options(), "state_dict": {"a": torch.ones(1)}}, nn.Linear(1, 1)])
def test_objects_of_others_are_refused_by_name(content: Any, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match=r"holds a '\S*(Options|Linear)', and to make one could run any code"):
        create_network("resnet18", saved(content, tmp_path), 64)


def test_a_checkpoint_without_a_network_says_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match=r"its keys are 'epoch', 'student'; save model\.state_dict\(\)"):
        create_network("resnet18", saved({"epoch": 3, "student": {"conv1.weight": torch.ones(1)}}, tmp_path), 64)


def test_random_weights_follow_the_seed() -> None:
    for name in ("resnet18", "tf_efficientnet_lite0"):
        one, same_seed, other = (Extractor(name, "random", image_size=64, seed=seed) for seed in (7, 7, 8))
        assert one.weights_sha256 == same_seed.weights_sha256 != other.weights_sha256
        assert one.network.source == "random"
