"""What a fit will do: what makes no sense is refused before anything is read."""

from pathlib import Path

import pytest

import flawsight as fs

PAIR = ("blocks.1.0.bn3", "blocks.3.0.bn3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"false_alarm_rate": 0}, "--false-alarm-rate '0': input should be greater than 0"),
        ({"false_alarm_rate": 1.0}, "--false-alarm-rate '1.0': input should be less than 1"),
        ({"false_alarm_rate": float("nan")}, "--false-alarm-rate 'nan'"),
        ({"fuse": 0}, "--fuse '0': input should be greater than or equal to 1"),
        ({"detector": "patchcoar"}, "patchcore"),
        ({"detector_parameters": {"bank": 3}}, "no parameter 'bank': patchcore has"),
        ({"fixed_layers": [["blocks.3.0.bnn3"]]}, r"blocks\.3\.0\.bn3"),
        ({"fixed_layers": []}, "fixed_layers"),
        ({"detector": "patchcore,gaussian", "fixed_layers": [PAIR]}, "cannot be compared"),
        ({"detector": "patchcore,autoencoder"}, "cannot be compared"),
        ({"detector": "autoencoder", "fixed_layers": [PAIR]}, "reads images, not layers"),
        ({"fixed_layers": [["picture"]]}, "unknown layer 'picture'"),
        ({"detector_parameters": {"gaussian.ridge": 3}}, r"gaussian\.ridge"),
        ({"budget": 0}, "--budget '0': input should be greater than 0"),
        ({"budget": -1.0}, "--budget '-1.0': input should be greater than 0"),
        ({"budget": 1.0, "search": "exhaustive"}, "--budget has no effect here.*leave it out"),
        ({"extractor": "tf_eficientnet_lite0"}, "tf_efficientnet_lite0"),
        ({"weights": "nowhere.pth"}, r"nowhere\.pth"),
        ({"image_size": 16}, "--image-size '16': input should be greater than or equal to 32"),
        ({"device": "cuda:99"}, "cuda:99"),
    ],
)
def test_bad_options(
    good_dir: Path, fit_options: dict, fixed_options: dict, tmp_path: Path, options: dict, message: str
) -> None:
    usual = fixed_options if "fixed_layers" in options else fit_options
    with pytest.raises(fs.FlawsightError, match=message):
        fs.fit(good_dir, tmp_path / "out", **(usual | options))
    assert not list(tmp_path.glob("out/*.*"))
