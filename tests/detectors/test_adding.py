"""The example in the documentation is a detector like any other."""

import re
from pathlib import Path

import pytest
import torch
from sklearn.base import clone

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.detectors import DETECTORS, Detector

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-detector.md"


@pytest.fixture(scope="module")
def example() -> type[Detector]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= 50
    names: dict[str, type[Detector]] = {"__name__": "example"}  # type: ignore[dict-item]
    exec(compile(code, str(PAGE), "exec"), names)
    return names["ChannelDistance"]


def test_it_measures_in_standard_deviations(example: type[Detector]) -> None:
    generator = torch.Generator().manual_seed(0)
    good = 3 + 2 * torch.randn(40, 5, 8, 8, generator=generator)
    detector = clone(example()).fit([good])
    assert detector.anomaly_maps([good]).mean() == pytest.approx(1, abs=1e-3)
    outlier = torch.full((1, 5, 8, 8), 3.0)
    outlier[0, :, 2, 2] = 3 + 2 * 6
    found = detector.anomaly_maps([outlier])
    assert found[0, 2, 2] == pytest.approx(36, rel=0.1)
    assert found.sum() - found[0, 2, 2] < 0.1
    again = example().load_state_dict(detector.state_dict())
    assert torch.equal(again.anomaly_maps([outlier]), found)
    with pytest.raises(FlawsightError, match="5 channels"):
        detector.anomaly_maps([torch.zeros(1, 4, 8, 8)])


def test_it_fits_and_inspects(
    example: type[Detector], monkeypatch: pytest.MonkeyPatch, good_dir: Path, fit_options: dict, tmp_path: Path
) -> None:
    monkeypatch.setitem(DETECTORS, "channels", example)
    inspector = fs.fit(good_dir, tmp_path / "bundle", detector="channels", defects="simple", **fit_options)
    assert {type(member.detector) for member in inspector.members} == {example}
    picture = sorted(good_dir.iterdir())[0]
    assert fs.load(tmp_path / "bundle", device="cpu").inspect(picture).score == inspector.inspect(picture).score
