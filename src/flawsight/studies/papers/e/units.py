"""What paper E compares: sources of anomalies, what is left out of RealNet, and which residuals it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from flawsight.core import JOIN, FlawsightError
from flawsight.data import find_images
from flawsight.detectors import make_detectors
from flawsight.features import stage_ends
from flawsight.settings import StudySettings
from flawsight.studies.grid import bases
from flawsight.studies.products import network_of
from flawsight.studies.study import Unit

REALNET, SDAS, TEXTURES = "realnet", "sdas", "textures"
SOURCES = {
    SDAS: "SDAS",
    TEXTURES: "textures (DTD)",
    "nsa": "NSA",
    "cutpaste": "CutPaste",
    "perlin": "good images (ours)",
}
"""By their names in the tables. The last blends good images in as SDAS's pictures are: no generator is needed."""
ABLATIONS: dict[str, dict[str, Any]] = {
    "": {},
    "without RRS": {"residuals": "all"},
    "random channels": {"reduction": "random"},
    "random projection": {"reduction": "projection"},
    "random channels, without RRS": {"reduction": "random", "residuals": "all"},
    "random projection, without RRS": {"reduction": "projection", "residuals": "all"},
    "RRS ranked as in the official code": {"normalise_ranking": True},
}
"""Parameters of RealNet by variant; the first is the paper's method. Random ones stand in for AFS."""
USUAL_STRENGTH = (0.1, 0.2)
STRENGTHS = {"s = 0": (0.0, 0.0), "s = 0.1": (0.1, 0.1), "s = 0.2": (0.2, 0.2)}
MODES = {"max": "Max", "avg": "Avg", "max&avg": "Max&Avg"}
SHARES = ("1/6", "1/3", "1/2", "2/3")
QUICK_SHARES = ("1/3", "2/3")
PAPERS = ("max&avg", "1/3")


def retained(mode: str, share: str) -> str:
    """The variant whose RRS keeps so many of the residuals, by this mode."""
    return "" if (mode, share) == PAPERS else f"RRS by {mode}, {share}"


VARIANTS = ABLATIONS | {
    retained(mode, share): {"residuals": mode, "retention": float(Fraction(share))}
    for mode in MODES
    for share in SHARES
    if (mode, share) != PAPERS
}
VARIED = tuple(dict.fromkeys(name for own in VARIANTS.values() for name in own))


def table_1_units(settings: StudySettings) -> Iterator[Unit]:
    """The paper's method on every category."""
    return _units(settings, [(SDAS, "")])


def table_3_units(settings: StudySettings) -> Iterator[Unit]:
    """The same from every source of anomalies."""
    if settings.textures is None:
        raise FlawsightError("one of the sources is foreign textures: name their folder with --textures (DTD's)")
    find_images(settings.textures, recursive=True)
    return _units(settings, [(source, "") for source in SOURCES])


def table_5_units(settings: StudySettings) -> Iterator[Unit]:
    """What is left out, and anomalies of one strength."""
    return _units(settings, [(SDAS, variant) for variant in (*ABLATIONS, *STRENGTHS)])


def figure_5_units(settings: StudySettings) -> Iterator[Unit]:
    """Every mode of RRS at every ratio, and all residuals."""
    shares = QUICK_SHARES if settings.quick else SHARES
    kept = [retained(mode, share) for mode in MODES for share in shares]
    return _units(settings, [(SDAS, variant) for variant in (*kept, "without RRS")])


def _units(settings: StudySettings, compared: Iterable[tuple[str, str]]) -> Iterator[Unit]:
    _check(settings)
    compared = list(compared)
    for base in bases(settings):
        layers = JOIN.join(stage_ends(network_of(settings, base).select(settings.layers)))
        for source, variant in compared:
            for seed in settings.seeds:
                yield replace(base, method=REALNET, layers=layers, defects=source, variant=variant, seed=seed)


def _check(settings: StudySettings) -> None:
    """What cannot be is said before long work."""
    if settings.detector != (REALNET,):
        raise FlawsightError("paper E's studies are of RealNet: leave --detector out")
    for name in settings.parameter:
        if name.removeprefix(f"{REALNET}.") in VARIED:
            raise FlawsightError(f"--parameter {name}: paper E's studies set this themselves; leave it out")
    make_detectors(REALNET, settings.parameter, 0)
