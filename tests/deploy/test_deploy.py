"""What IT installs: the unit, its options, and the image, as far as they can be tried without root and Docker."""

import re
import shlex
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from flawsight.settings import ServeSettings, read_config

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "flawsight.service").read_text(encoding="utf-8")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.*)", DOCKERFILE, re.MULTILINE)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    path = tmp_path / "flawsight.service"
    path.write_text(UNIT.replace("/opt/flawsight/bin/flawsight", "/bin/true"), encoding="utf-8")
    return path


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_unit_is_whole_and_hardened(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", unit], capture_output=True, text=True, check=False
    )
    level = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) < 2.5


def test_the_units_options_are_those_of_serve(tmp_path: Path) -> None:
    command = re.search(r"^ExecStart=(.*)", UNIT, re.MULTILINE)
    assert command and shlex.split(command[1])[1:] == ["serve", "--config", "/etc/flawsight/station.yaml"]
    settings = ServeSettings.of(read_config(DEPLOY / "station.yaml", ServeSettings, {}))
    assert settings.host == "127.0.0.1" and settings.history.is_relative_to("/var/lib/flawsight")
    text = re.sub(r"^#(?=[a-z-]+: )", "", (DEPLOY / "station.yaml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    all_of_them = "\n".join(f"{name}: {value}" for name, value in yaml.safe_load(text).items())
    assert all_of_them.count("\n") >= 9
    (tmp_path / "all.yaml").write_text(all_of_them, encoding="utf-8")
    settings = ServeSettings.of(read_config(tmp_path / "all.yaml", ServeSettings, {}))
    assert settings.host == "0.0.0.0" and settings.token_file is not None and settings.keep_size == 10_000_000_000


def test_the_image_takes_what_is_there() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    kept = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    sources = [one for line in instructions("COPY") if "--from" not in line for one in line.split()[:-1]]
    assert sources and set(sources) == set(kept)
    assert all((ROOT / source).exists() for source in sources)
    needed = re.findall(
        r'(?:readme = |license-files = \[)"(.*?)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )
    assert all(any(fnmatch(name, source) for source in sources) for name in needed)


def test_the_image_has_the_station_and_no_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r"^ARG EXTRAS=(.*)", DOCKERFILE, re.MULTILINE)
    asked = [package for extra in extras.split(",") for package in project["optional-dependencies"][extra]]
    assert asked and not any(re.match("torch|timm|flawsight", package) for package in asked + project["dependencies"])


def test_the_image_runs_serve_as_nobody_in_particular() -> None:
    words = yaml.safe_load(instructions("CMD")[-1])
    assert words[0] == "serve" and yaml.safe_load(instructions("ENTRYPOINT")[0]) == ["flawsight"]
    names = [word.removeprefix("--").replace("-", "_") for word in words[2::2]]
    settings = ServeSettings.of({"bundles": words[1], **dict(zip(names, words[3::2], strict=True))})
    assert settings.token_file is not None and instructions("EXPOSE") == [str(settings.port)]
    assert settings.history.is_relative_to(instructions("VOLUME")[0])
    assert instructions("USER") == ["10001"] and instructions("STOPSIGNAL") == ["SIGTERM"]
    assert f"127.0.0.1:{settings.port}/healthz" in instructions("HEALTHCHECK")[0]
