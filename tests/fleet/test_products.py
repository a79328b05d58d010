"""Which products there are, and what each is fitted with; whatever is wrong is said with its place."""

from pathlib import Path
from typing import Any

import pytest

from flawsight.core import FlawsightError
from flawsight.fleet import find_products
from flawsight.settings import FitAllSettings


def found(products: Path, **options: Any) -> dict[str, Any]:
    settings = FitAllSettings.of({"products": products, "out": products.parent / "bundles", **options})
    return {one.name: one.settings for one in find_products(settings)}


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "products.csv"
    path.write_text(text)
    return path


def test_each_folder_is_a_product(plant: Path) -> None:
    (plant / ".hidden").mkdir()
    products = found(plant, image_size=128, workers=2, track="local")
    assert list(products) == ["cap", "nut", "ring"]
    assert products["nut"].good == plant / "nut" and products["nut"].out == plant.parent / "bundles" / "nut"
    assert {one.image_size for one in products.values()} == {128}
    assert all(one.workers is None and one.track is None for one in products.values())


def test_the_bundles_may_lie_among_the_products(plant: Path) -> None:
    (plant / "made").mkdir()
    settings = FitAllSettings.of({"products": plant, "out": plant / "made"})
    assert [one.name for one in find_products(settings)] == ["cap", "nut", "ring"]
    deeper = FitAllSettings.of({"products": plant, "out": plant / "made" / "bundles"})
    assert [one.name for one in find_products(deeper)] == ["cap", "nut", "ring"]
    with pytest.raises(FlawsightError, match="its bundle would lie among its pictures"):
        find_products(FitAllSettings.of({"products": plant, "out": plant}))


def test_places_are_the_same_wherever_a_worker_runs(plant: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plant.parent)
    products = found(Path("plant"), textures="wood", weights="own.pth")
    assert products["cap"].good == plant / "cap" and products["cap"].out == plant.parent / "bundles" / "cap"
    assert products["cap"].weights == plant.parent / "own.pth" and products["cap"].textures == plant.parent / "wood"


def test_each_learns_from_a_generator_of_its_own(plant: Path, tmp_path: Path) -> None:
    products = found(plant, defects="sdas", generator=tmp_path / "made")
    assert [one.generator for one in products.values()] == [tmp_path / "made" / name for name in products]


def test_blanks_in_a_table_do_not_matter(tmp_path: Path) -> None:
    assert found(table(tmp_path, "name , folder, seed\n a, x , 7 \n"))["a"].seed == 7


def test_a_table_gives_each_its_own_options(tmp_path: Path) -> None:
    (tmp_path / "mask.png").touch()
    path = table(
        tmp_path,
        "name,folder,image-size,false_alarm_rate,region,parameter\n"
        "b,pictures/b,128,,mask.png,\na,/elsewhere/a,,0.05,auto,patchcore.bank_size=50\n",
    )
    products = found(path, image_size=64)
    assert list(products) == ["a", "b"]
    a, b = products["a"], products["b"]
    assert (a.image_size, a.false_alarm_rate, a.region, a.parameter) == (
        64, 0.05, Path("auto"), {"patchcore.bank_size": 50},
    )  # fmt: skip
    assert (b.image_size, b.false_alarm_rate, b.region) == (128, 0.01, tmp_path / "mask.png")
    assert (a.good, b.good) == (Path("/elsewhere/a"), tmp_path / "pictures" / "b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a line of titles"),
        ("name,place\na,b\n", "needs a line of titles, name and folder"),
        ("name,folder\n", "needs a line of titles, name and folder among them, and products"),
        ("name,folder\na,x\na,y\n", "line 3: the name 'a' is taken"),
        ("name,folder\nA,x\na,y\n", "is taken"),
        ("name,folder\n../a,x\n", "line 2: '../a'"),
        ("name,folder\n.a,x\n", r"line 2: '\.a'"),
        ("name,folder\na,\n", "line 2: 'a' and ''"),
        ("name,folder,seed\n\n\na,x,1\n\nb,x,-1\n", "line 6: --seed '-1'"),
        ("name,folder,workers\na,x,2\n", "cannot have the title 'workers'"),
        ("name,folder,out\na,x,y\n", "cannot have the title 'out'"),
        ("name,folder,image-size,image_size\na,x,64,128\n", "cannot have the title 'image_size', or not twice"),
        ("name,folder\nindex.html,x\n", "the name 'index.html' is taken"),
        ("name,folder,image-size\na,x,8\n", "line 2: --image-size '8'"),
        ("name,folder,image-sise\na,x,8\n", "line 2: unknown option 'image-sise'"),
        ("name,folder\na,x,1\n", "line 2: it has 3 cells, and there are 2 titles"),
        ("name,folder,seed\na,x\n", "line 2: it has 2 cells, and there are 3 titles"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FlawsightError, match=said):
        found(table(tmp_path, text))


def test_what_is_no_folder_of_products_is_said(tmp_path: Path, plant: Path) -> None:
    (tmp_path / "empty").mkdir()
    for where, said in (
        (tmp_path / "none", "is no folder"),
        (tmp_path / "none.csv", "cannot be read"),
        (tmp_path / "empty", "is empty"),
        (plant / "cap", "holds pictures itself: for one product use `flawsight fit`"),
        (plant / "cap" / "train" / "good", "holds pictures itself"),
    ):
        with pytest.raises(FlawsightError, match=said):
            found(where)
