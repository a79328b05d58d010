"""A command that needs an extra which is not there says which, and how to get it."""

import sys
from pathlib import Path

import pytest

from flawsight.cli import main


@pytest.mark.parametrize(("option", "package", "extra"), [("--ray", "ray", "scale"), ("--track", "mlflow", "track")])
def test_fit_all_names_the_extra(
    option: str,
    package: str,
    extra: str,
    good_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "cap").symlink_to(good_dir)
    for name in [one for one in sys.modules if one.split(".")[0] == package or one == "flawsight.executors.cluster"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    out = str(tmp_path / "bundles")
    monkeypatch.setattr(sys, "argv", ["flawsight", "fit-all", str(tmp_path / "plant"), "--out", out, option, "local"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert f"needs the package '{package}': pip install 'flawsight[{extra}]'" in capsys.readouterr().err
