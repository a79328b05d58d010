"""Registries: names before things, ours before others', and clear words where one is missing or broken."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flawsight.core import FlawsightError, Registry

GROUP = "flawsight.fruit"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package of one module on the path, with these entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(package: str, source: str, **points: str) -> None:
        info = tmp_path / f"{package}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
        (tmp_path / f"{package}.py").write_text(source)
        monkeypatch.delitem(sys.modules, package, raising=False)

    return put


def fruit(**ours: str) -> Registry[object]:
    return Registry("fruit", GROUP, {"path": "pathlib:Path", "json": "json", **ours})


def test_names_and_values() -> None:
    import json

    known = fruit()
    assert list(known) == ["path", "json"] and len(known) == 2
    assert known["path"] is Path and known["json"] is json
    assert "path" in known and "pear" not in known
    assert dict(known) == {"path": Path, "json": json}


def test_nothing_is_imported_before_it_is_asked_for(install: Install) -> None:
    install("orchard", "class Pear: pass", pear="orchard:Pear")
    known = fruit(none="not_there.at_all:Thing")
    assert list(known) == ["path", "json", "none", "pear"] and "pear" in known and len(known) == 4
    assert known.provider("pear") == "orchard 1.2" and known.provider("path") == "flawsight"
    assert known.name_of(Path) == "path" and known.name_of(int) is None
    assert "orchard" not in sys.modules
    pear = known["pear"]
    assert "orchard" in sys.modules and pear is sys.modules["orchard"].Pear and known["pear"] is pear
    assert known.name_of(pear) == "pear"


def test_ours_go_before_those_of_a_package_of_the_same_name(install: Install) -> None:
    install("orchard", "raise RuntimeError", path="orchard:Pear")
    known = fruit()
    assert known["path"] is Path and list(known) == ["path", "json"] and known.provider("path") == "flawsight"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("1 / 0", "ZeroDivisionError"),
        ("", "AttributeError"),
    ],
)
def test_a_broken_plug_in_is_named_with_its_package(install: Install, source: str, reason: str) -> None:
    install("orchard", source, pear="orchard:Pear")
    known = fruit()
    assert known["path"] is Path
    with pytest.raises(FlawsightError, match=rf"the fruit 'pear' of the package 'orchard' .*{reason}.*reinstall"):
        _ = known["pear"]


def test_an_unknown_name_gets_near_ones() -> None:
    known = fruit()
    with pytest.raises(FlawsightError, match=r"^unknown fruit 'paht': did you mean path\? known: path, json$"):
        _ = known["paht"]
    with pytest.raises(FlawsightError, match=r"^unknown fruit 'zzz': known: path, json$"):
        _ = known["zzz"]


def test_it_is_a_mapping_that_can_be_changed() -> None:
    known = fruit()
    assert known.get("pear") is None and known.get("pear", 3) == 3 and known.pop("pear", 4) == 4
    known["pear"] = thing = object()
    assert list(known) == ["path", "json", "pear"] and known["pear"] is thing
    assert known.name_of(thing) == "pear" and known.provider("pear") == ""
    known["path"] = thing
    assert known["path"] is thing and len(known) == 3
    del known["pear"], known["path"]
    assert list(known) == ["path", "json"] and known["path"] is Path
    with pytest.raises(KeyError):
        del known["pear"]


def test_a_registered_thing_of_an_unsaid_module_has_no_name_until_it_is_set() -> None:
    class Mine:
        pass

    known = fruit()
    assert known.name_of(Mine) is None
    known["mine"] = Mine
    assert known.name_of(Mine) == "mine"


def test_detectors_are_listed_and_imported_without_those_that_are_heavy() -> None:
    code = (
        "import sys, flawsight.detectors as d; names = list(d.DETECTORS); assert 'realnet' in names\n"
        "heavy = {'FrEIA', 'diffusers', 'sklearn.covariance', 'sklearn.svm'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "d.Gaussian, d.make_detector('patchcore'); assert not {'FrEIA', 'diffusers'} & set(sys.modules)\n"
        "d.FastFlow; assert 'FrEIA' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
