"""A study: a grid of units, how they are measured, and the tables and the figure that their rows become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from flawsight.core import FlawsightError, Registry
from flawsight.settings import DEFAULT_EXTRACTOR, StudySettings, flag_of

if TYPE_CHECKING:
    import pandas as pd

    from flawsight.studies.tables import Table

Row = Mapping[str, Any]
"""The figures of one unit by column; None or NaN where there is none."""


@dataclass(frozen=True)
class Unit:
    """One row of a study's table: plain values that say what is measured on what. Empty: not what the study varies.

    >>> Unit("bottle", "torchvision:resnet18", method="patchcore", layers="layer2", seed=1).shared
    ('bottle', 'torchvision:resnet18', '', 256, 1)
    """

    category: str
    extractor: str = ""
    weights: str = ""
    image_size: int = 256
    method: str = ""
    layers: str = ""
    defects: str = ""
    variant: str = ""
    seed: int = 0

    @property
    def shared(self) -> tuple[str, str, str, int, int]:
        """What units have in common that are measured together: one network and the same images."""
        return self.category, self.extractor, self.weights, self.image_size, self.seed

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Unit:
        """The unit of a row of the CSV file."""
        values: dict[str, Any] = {one.name: row[one.name] for one in fields(cls)}
        return cls(**{**values, "image_size": int(values["image_size"]), "seed": int(values["seed"])})

    @property
    def text(self) -> str:
        """How people name it."""
        values = {name: value for name, value in asdict(self).items() if value != "" and name != "image_size"}
        return ", ".join(f"seed {value}" if name == "seed" else str(value) for name, value in values.items())


UNIT = tuple(one.name for one in fields(Unit))
"""The columns that name a unit."""


@dataclass(frozen=True)
class Study:
    """What one table or figure of a paper takes. All functions are a module's own, so that workers can find them.

    `units(settings)` lists the whole grid in the order of the table. `measure(units, settings)` gives one row for each
    of a few units that share network and images; where it raises, each is tried by itself, and the reason is its row.
    `tables(frame)` and `figure(frame)` (SVG) draw the rows: see `flawsight.studies.tables`. `columns`: what is
    measured, float or str. `defaults` and `quick`: settings where the user gives none; of their
    `parameter` (`simplenet.epochs`) those of the methods that are studied. `at_once`: most units that are
    measured together. `rows`: studies that say the same here measure the same rows, and take them from each other.
    `spread`: what the tables' cells are, `{seeds}` being the seeds. `takes`: which of the options `SPECIAL` it heeds;
    the others are refused. `is_timed`: it measures time, so one process makes it, and rows of two devices never meet.

    >>> STUDIES["a-table-1"].source
    'paper A, Table 1'
    """

    title: str
    source: str
    needs: str
    columns: Mapping[str, type]
    units: Callable[[StudySettings], Iterable[Unit]]
    measure: Callable[[Sequence[Unit], StudySettings], Sequence[Row]]
    tables: Callable[[pd.DataFrame], Sequence[Table]]
    figure: Callable[[pd.DataFrame], str] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    at_once: int = 16
    rows: str = ""
    spread: str = "Mean ± sample standard deviation over the seeds {seeds}"
    takes: tuple[str, ...] = ("detector", "parameter", "most_layers")
    is_timed: bool = False

    def settled(self, settings: StudySettings) -> StudySettings:
        """The settings, with those of the study where none were given."""
        own = {
            "extractor": (DEFAULT_EXTRACTOR,),
            **self.defaults,
            **(QUICK | dict(self.quick) if settings.quick else {}),
        }
        given = settings.model_fields_set
        found = settings.model_copy(update={name: value for name, value in own.items() if name not in given})
        of_methods = {
            name: one
            for name, one in own.get("parameter", {}).items()
            if name.partition(".")[0] in found.detector and name.partition(".")[2] not in settings.parameter
        }
        return found.model_copy(update={"parameter": {**of_methods, **settings.parameter}})

    @property
    def unheeded(self) -> tuple[str, ...]:
        """Options without effect here."""
        return tuple(name for name in SPECIAL if name not in self.takes)

    def check(self, settings: StudySettings) -> None:
        """FlawsightError for an option that was given and would have no effect."""
        for name in self.unheeded:
            if name in settings.model_fields_set:
                raise FlawsightError(f"{flag_of(name)} has no effect on the study '{settings.name}': leave it out")
        if self.is_timed and (settings.workers or settings.ray):
            flag = flag_of("workers" if settings.workers else "ray")
            raise FlawsightError(f"the study '{settings.name}' measures time, one process alone: leave {flag} out")


SPECIAL = (
    *("detector", "parameter", "most_layers", "augment", "label_preserving"),
    *("textures", "generator_preset", "generator_steps"),
)
"""Options that have an effect on some studies only."""
QUICK: dict[str, Any] = {"seeds": (0,), "image_size": (64,), "most_layers": 3, "most_good": 12, "most_test": 12}

STUDIES: Registry[Study] = Registry(
    "study",
    "flawsight.studies",
    {
        "a-table-1": "flawsight.studies.papers.a:TABLE_1",
        "a-table-2": "flawsight.studies.papers.a:TABLE_2",
        "a-table-3": "flawsight.studies.papers.a:TABLE_3",
        "a-table-4": "flawsight.studies.papers.a:TABLE_4",
        "a-figure-4": "flawsight.studies.papers.a:FIGURE_4",
        "a-figure-5": "flawsight.studies.papers.a:FIGURE_5",
        "b-receptive-fields": "flawsight.studies.papers.b:RECEPTIVE_FIELDS",
        "b-figure-3": "flawsight.studies.papers.b:FIGURE_3",
        "b-figure-4": "flawsight.studies.papers.b:FIGURE_4",
        "b-figure-5": "flawsight.studies.papers.b:FIGURE_5",
        "b-figure-6": "flawsight.studies.papers.b:FIGURE_6",
        "b-table-1": "flawsight.studies.papers.b:TABLE_1",
        "b-figure-7": "flawsight.studies.papers.b:FIGURE_7",
        "b-hypothesis": "flawsight.studies.papers.b:HYPOTHESIS",
        "c-table-1": "flawsight.studies.papers.c:TABLE_1",
        "c-table-2": "flawsight.studies.papers.c:TABLE_2",
        "c-table-3": "flawsight.studies.papers.c:TABLE_3",
        "c-table-4": "flawsight.studies.papers.c:TABLE_4",
        "c-table-5": "flawsight.studies.papers.c:TABLE_5",
        "d-table-1": "flawsight.studies.papers.d:TABLE_1",
        "d-table-2": "flawsight.studies.papers.d:TABLE_2",
        "d-table-3": "flawsight.studies.papers.d:TABLE_3",
        "d-table-4": "flawsight.studies.papers.d:TABLE_4",
        "d-table-5": "flawsight.studies.papers.d:TABLE_5",
        "d-figure-2": "flawsight.studies.papers.d:FIGURE_2",
        "d-figure-4": "flawsight.studies.papers.d:FIGURE_4",
        "d-figure-5": "flawsight.studies.papers.d:FIGURE_5",
        "d-figure-6": "flawsight.studies.papers.d:FIGURE_6",
        "d-figure-7": "flawsight.studies.papers.d:FIGURE_7",
        "e-table-1": "flawsight.studies.papers.e:TABLE_1",
        "e-table-3": "flawsight.studies.papers.e:TABLE_3",
        "e-table-5": "flawsight.studies.papers.e:TABLE_5",
        "e-figure-5": "flawsight.studies.papers.e:FIGURE_5",
        "e-channels": "flawsight.studies.papers.e:CHANNELS",
        "e-kinds": "flawsight.studies.papers.e:KINDS",
    },
)
