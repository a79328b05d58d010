"""A cut network computes nothing past the deepest layer asked for."""

import numpy as np
import pytest
import torch

from flawsight.features import Extractor


@pytest.mark.parametrize(
    ("names", "last_stage"),
    [(["relu"], 0), (["layer1.1.relu_1"], 1), (["layer3.0.add", "layer1.0.bn1"], 3), (["layer2.0.downsample.0"], 2)],
)
def test_nothing_deeper_is_kept(names: list[str], last_stage: int, resnet18: Extractor) -> None:
    cut = resnet18.truncated(names)
    stages = {int(key[5]) for key in cut.state_dict() if key.startswith("layer")}
    assert max(stages, default=0) == last_stage
    assert not any(key.startswith("fc") for key in cut.state_dict())
    whole = resnet18.truncated([resnet18.layers[-1].name])
    assert len(cut.graph.nodes) < len(whole.graph.nodes)
    computed = [node for node in cut.graph.nodes if node.op not in {"placeholder", "output"}]
    assert len(computed) <= 1 + max(resnet18.layer(name).order for name in names)


def test_a_side_branch_costs_only_itself(resnet18: Extractor) -> None:
    kept = resnet18.truncated(["layer2.0.downsample.0"]).state_dict()
    assert "layer2.0.downsample.0.weight" in kept and "layer2.0.conv1.weight" not in kept


def test_deeper_layers_are_not_even_run(resnet18: Extractor, images: list[np.ndarray]) -> None:
    ran = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for network in (resnet18.network.module, resnet18.truncated(["layer2.0.relu"]))
        for name, module in network.named_modules()
        if not list(module.children())
    ]
    resnet18.extract(images, ["layer2.0.relu"])
    for hook in hooks:
        hook.remove()
    assert "layer2.0.relu" in ran and ran[-1] == "layer2.0.relu"
    assert not any(name.startswith(("layer3", "layer4", "fc", "avgpool")) for name in ran)


@pytest.mark.parametrize("names", [["layer1.0.add"], ["layer3.1.add", "relu", "layer2.0.bn2"]])
def test_the_asked_layers_in_the_asked_order(names: list[str], resnet18: Extractor, images: list[np.ndarray]) -> None:
    assert list(resnet18.extract(images, names)) == names


def test_cuts_share_the_weights(resnet18: Extractor) -> None:
    cut = resnet18.truncated(["relu"])
    assert cut.get_parameter("conv1.weight") is resnet18.network.module.get_parameter("conv1.weight")
    assert not cut.training
    assert resnet18.truncated(["relu"]) is cut
    assert torch.equal(cut.state_dict()["bn1.bias"], resnet18.network.module.state_dict()["bn1.bias"])
