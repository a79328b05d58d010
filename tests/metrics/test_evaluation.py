import json

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.metrics import (
    Defect,
    ThresholdCounts,
    aupro,
    auroc,
    auspro,
    evaluate_maps,
    f1_max,
    harmonic_mean,
    pixel_auroc,
    seg_f1,
    threshold_counts,
)

PIXEL = ("pixel_auroc", "aupro_0.30", "aupro_0.05", "auspro_0.05")
COUNTED = ("seg_f1", "defects", "defects_hit", "hit_rate", "false_regions_per_image")


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    masks = [None, None, np.zeros((16, 16), bool)] + [np.zeros((16, 16), bool) for _ in range(4)]
    for index in range(3, 7):
        masks[index][index : index + 3, 2:6] = True
    maps = np.stack([rng.random((16, 16)) + (0 if mask is None else 0.5 * mask) for mask in masks])
    kinds = ["good", None, "good", "hole", "scratch", "hole", None]
    return {"scores": maps.max((1, 2)), "labels": labels, "maps": maps, "masks": masks, "kinds": kinds}


def test_figures_are_those_of_the_single_functions(case):
    found = evaluate_maps(**case, threshold=1.2)
    assert found["images"] == found["pixel_images"] == 7
    assert found["auroc"] == auroc(case["scores"], case["labels"])
    assert found["f1_max"] == f1_max(case["scores"], case["labels"])
    assert found["pixel_auroc"] == pixel_auroc(case["maps"], case["masks"])
    assert found["aupro_0.30"] == aupro(case["maps"], case["masks"], 0.3)
    assert found["aupro_0.05"] == aupro(case["maps"], case["masks"], 0.05)
    assert found["p_h"] == harmonic_mean(found["auroc"], found["aupro_0.30"])
    assert found["detection_rate"] == np.mean(case["scores"][3:] > 1.2)
    assert found["false_alarm_rate"] == np.mean(case["scores"][:3] > 1.2)
    assert json.loads(json.dumps(found)) == found


def test_a_kind_is_its_defects_and_all_good_images(case):
    kinds = evaluate_maps(**case, threshold=1.2)["kinds"]
    assert list(kinds) == ["hole", "scratch"]
    chosen = [0, 1, 2, 3, 5]
    part = {name: [values[i] for i in chosen] for name, values in case.items() if name != "kinds"}
    alone = evaluate_maps(**part, threshold=1.2)
    assert alone.pop("kinds") == {}
    assert kinds["hole"] == alone
    assert kinds["hole"]["images"] == 5


@pytest.mark.parametrize("missing", ["masks", "maps", "every defective mask"])
def test_without_masks_or_maps_pixel_figures_are_none(case, missing):
    change = {"masks": [None] * 7} if missing == "every defective mask" else {missing: None}
    found = evaluate_maps(**{**case, **change}, threshold=1.2)
    for figures in (found, *found["kinds"].values()):
        assert all(figures[name] is None for name in (*PIXEL, "p_h", "seg_f1", "hit_rate"))
        assert figures["pixel_images"] == 0
        assert figures["auroc"] is not None and figures["f1_max"] is not None


def test_a_defective_image_without_a_mask_is_not_taken_for_normal_pixels(case):
    case["masks"][4] = None
    found = evaluate_maps(**case)
    rest = [0, 1, 2, 3, 5, 6]
    assert found["pixel_images"] == 6 and found["images"] == 7
    assert found["aupro_0.30"] == aupro(case["maps"][rest], [case["masks"][i] for i in rest])
    assert found["kinds"]["scratch"]["pixel_auroc"] is None
    assert found["kinds"]["scratch"]["auroc"] is not None


def test_one_class_alone_gives_only_what_it_can(case):
    good = {name: values[:3] for name, values in case.items()}
    found = evaluate_maps(**good, threshold=1.2)
    assert all(found[name] is None for name in ("auroc", "f1_max", "p_h", "detection_rate", *PIXEL))
    assert found["false_alarm_rate"] is not None and found["kinds"] == {}
    defective = {name: values[3:] for name, values in case.items()}
    found = evaluate_maps(**defective, threshold=1.2)
    assert all(found[name] is None for name in ("auroc", "f1_max", "p_h", "false_alarm_rate"))
    assert found["detection_rate"] is not None
    assert found["aupro_0.30"] == aupro(case["maps"][3:], case["masks"][3:])


def test_without_threshold_there_are_no_rates_and_without_kinds_no_breakdown(case):
    found = evaluate_maps(**{**case, "kinds": None})
    assert found["false_alarm_rate"] is None and found["detection_rate"] is None and found["kinds"] == {}


@pytest.mark.parametrize("name", ["maps", "masks", "kinds", "defects"])
def test_every_image_needs_an_entry(case, name):
    with pytest.raises(FlawsightError, match=f"7 scores but 6 {name}"):
        evaluate_maps(**{**case, name: case.get(name, [()] * 7)[:6]})


def test_a_good_image_with_a_marked_defect_is_a_contradiction(case):
    case["masks"][2][0, 0] = True
    with pytest.raises(FlawsightError, match="Image 2 is labelled good"):
        evaluate_maps(**case)


def test_an_error_names_the_image_of_the_whole_set(case):
    case["maps"][5, 0, 0] = np.nan
    case["masks"][4] = None
    with pytest.raises(FlawsightError, match="Map 5"):
        evaluate_maps(**case)


def test_figures_at_the_pixel_threshold_are_those_of_the_images_they_speak_of(case):
    found = evaluate_maps(**case, pixel_threshold=0.9)
    each = [threshold_counts(values, mask, 0.9) for values, mask in zip(case["maps"], case["masks"], strict=True)]
    for figures, chosen in ((found, range(7)), (found["kinds"]["hole"], (0, 1, 2, 3, 5))):
        total = ThresholdCounts.total(each[index] for index in chosen)
        assert {name: figures[name] for name in COUNTED} == {name: getattr(total, name) for name in COUNTED}
    assert found["seg_f1"] == seg_f1(case["maps"], case["masks"], 0.9)
    assert 0 < found["seg_f1"] < 1 and found["defects"] == 4 and found["false_regions_per_image"] > 0


def test_without_a_pixel_threshold_nothing_is_counted_and_without_defects_only_false_regions(case):
    assert [evaluate_maps(**case)[name] for name in COUNTED] == [None] * 5
    good = {name: values[:3] for name, values in case.items()}
    found = evaluate_maps(**good, pixel_threshold=0.9)
    assert [found[name] for name in COUNTED[:4]] == [None, 0, 0, None]
    assert found["false_regions_per_image"] > 0
    unknown = {"masks": [None] * 7, "labels": np.ones(7, int)}
    found = evaluate_maps(**{**case, **unknown}, pixel_threshold=0.9)
    assert [found[name] for name in COUNTED] == [None] * 5


def test_saturation_changes_auspro_alone(case):
    defects = [[Defect(mask, 3)] if label else [] for mask, label in zip(case["masks"], case["labels"], strict=True)]
    plain, found = evaluate_maps(**case), evaluate_maps(**case, defects=defects)
    assert plain["auspro_0.05"] == plain["aupro_0.05"]
    assert found["auspro_0.05"] == auspro(case["maps"], defects, 0.05) > plain["auspro_0.05"]
    chosen = [0, 1, 2, 4]
    alone = auspro(case["maps"][chosen], [defects[index] for index in chosen], 0.05)
    assert found["kinds"]["scratch"]["auspro_0.05"] == alone
    assert {**found, "auspro_0.05": 0, "kinds": 0} == {**plain, "auspro_0.05": 0, "kinds": 0}
