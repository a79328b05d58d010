"""Many layers from one pass are the same as each on its own: in-place activations must not overwrite them."""

import pytest
import torch
from torch import Tensor, fx, nn
from torchvision.models.feature_extraction import create_feature_extractor

from flawsight.features import Extractor
from flawsight.features.graph import trace
from flawsight.features.networks import create_network


class Witness(fx.Interpreter):
    """Runs a graph node by node and copies each value before a later node can touch it."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.values: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> object:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.values[n.name] = value.clone()
        return value


def picture() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def wrong_names(graph: fx.GraphModule) -> set[str]:
    """Names whose value in one pass is not what the node computed."""
    with torch.inference_mode():
        outputs = graph(picture())
        witness = Witness(graph)
        witness.run(picture())
    nodes = next(node for node in graph.graph.nodes if node.op == "output").args[0]
    return {name for name, node in nodes.items() if not torch.equal(outputs[name], witness.values[node.name])}


NETWORKS = ["resnet18", "densenet121", "default"]


@pytest.mark.parametrize("network", NETWORKS)
def test_no_layer_is_overwritten(network: str, request) -> None:
    extractor: Extractor = request.getfixturevalue(network)
    assert wrong_names(extractor.truncated([layer.name for layer in extractor.layers])) == set()
    assert wrong_names(trace(extractor.network.module)) == set()


@pytest.mark.parametrize(
    ("network", "every"),
    [("resnet18", 1), ("default", 4)],
)
def test_one_pass_equals_single_extraction(network: str, every: int, request) -> None:
    extractor: Extractor = request.getfixturevalue(network)
    names = [layer.name for layer in extractor.layers]
    with torch.inference_mode():
        together = extractor.truncated(names)(picture())
        for name in names[::every]:
            assert torch.equal(together[name], extractor.truncated([name])(picture())[name]), name


DENSENET_CHAINS = [
    "features.conv0",
    "features.norm0",
    "features.relu0",
    "features.pool0",
    "features.denseblock1.denselayer1.cat",
    "features.denseblock1.denselayer2.norm1",
    "features.denseblock1.denselayer2.relu1",
    "features.denseblock1.denselayer2.conv1",
    "features.denseblock1.denselayer2.norm2",
    "features.denseblock1.denselayer2.relu2",
    "features.denseblock1.denselayer2.conv2",
    "features.denseblock2.cat",
    "features.transition2.norm",
    "features.transition2.relu",
    "features.transition2.conv",
    "features.transition2.pool",
    "features.denseblock4.denselayer16.norm2",
    "features.norm5",
    "relu",
]


def test_every_kind_of_chain_of_densenet_equals_single_extraction(densenet121: Extractor) -> None:
    with torch.inference_mode():
        together = densenet121.truncated([layer.name for layer in densenet121.layers])(picture())
        for name in DENSENET_CHAINS:
            assert torch.equal(together[name], densenet121.truncated([name])(picture())[name]), name


def naive(name: str) -> fx.GraphModule:
    """All layers in one pass, in-place activations left as they are."""
    names = [layer.name for layer in Extractor(name, "random", image_size=64).layers]
    fresh = create_network(name, "random", 64).module
    for module in fresh.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, -0.1)  # as in a trained network, no norm is without negative values
    return create_feature_extractor(fresh, return_nodes={node: node for node in names}, suppress_diff_warning=True)


def test_without_the_fix_resnet18_is_wrong() -> None:
    def is_trap(name: str) -> bool:
        return name.endswith("bn1") or name.endswith(".add")

    graph = naive("resnet18")
    assert wrong_names(graph) == {node for node in graph(picture()) if is_trap(node)}
    assert len(wrong_names(graph)) == 17


def test_without_the_fix_densenet121_is_wrong() -> None:
    wrong = wrong_names(naive("densenet121"))
    assert len(wrong) == 121
    assert {"features.norm0", "features.norm5", "features.transition1.norm"} <= wrong
    assert all("norm" in name for name in wrong)


def test_the_fix_does_not_change_what_the_network_says(resnet18: Extractor) -> None:
    fresh = create_network("resnet18", "random", 64).module
    with torch.inference_mode():
        deepest = resnet18.truncated(["layer4.1.relu_1"])(picture())["layer4.1.relu_1"]
        assert torch.allclose(fresh.fc(deepest.mean((2, 3))), fresh(picture()), atol=1e-5)
