"""How small a defect may be."""

import pytest

from flawsight.views import smallest_defect


@pytest.mark.parametrize(
    ("side", "stride", "expected"),
    [
        (256, 8, (8.0, 24.0)),  # three pixels of the network's input
        (256, 4, (8.0, 24.0)),
        (256, 32, (8.0, 64.0)),  # a quarter of the finest layer's cell
        (512, 8, None),
        (1024, 8, None),
    ],
)
def test_by_how_much_pictures_are_shrunk(side: int, stride: float, expected: object) -> None:
    assert smallest_defect([(2048, 1500)] * 3, side, stride) == expected


def test_the_usual_picture_counts() -> None:
    assert smallest_defect([(256, 256)] * 9 + [(9000, 9000)], 256, 8) is None
    assert smallest_defect([], 256, 8) is None
