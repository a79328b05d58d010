"""Layer: one place in a network where features can be read."""

from dataclasses import dataclass

INPUT = "image"
"""The name under which detectors that read images are given them, as if they were a layer."""
JOIN = "+"
"""Between the names of layers that one detector reads together."""


@dataclass(frozen=True)
class Layer:
    """One node of the network's graph that yields a feature map.

    `stride` is input side over map side; `order` counts from the input; `same_as` names the earlier layer whose
    values this one repeats (an identity or switched-off drop path), or is empty.

    >>> layer = network.layer("blocks.2.1.add")
    >>> layer.kind, layer.channels, layer.height, layer.width, layer.stride
    ('add', 40, 8, 8, 8.0)
    """

    name: str
    kind: str
    block: str
    channels: int
    height: int
    width: int
    stride: float
    order: int
    same_as: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the layers it is joined of; its own, where it is one."""
        return tuple(self.name.split(JOIN))
