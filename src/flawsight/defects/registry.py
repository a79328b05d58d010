"""The kinds of synthetic defects by name: ours, those of other packages, and what a session adds."""

from dataclasses import fields, replace
from typing import Any

from flawsight.core import Registry, unknown
from flawsight.defects.base import DrawnDefect, SyntheticDefect
from flawsight.defects.product import Product

KINDS: Registry[type[DrawnDefect]] = Registry(
    "kind of synthetic defect",
    "flawsight.defects",
    {
        "simple": "flawsight.defects.kinds.rectangle:Simple",
        "cutpaste": "flawsight.defects.kinds.rectangle:CutPaste",
        "nsa": "flawsight.defects.kinds.nsa:NSA",
        "perlin": "flawsight.defects.kinds.perlin:Perlin",
        "sdas": "flawsight.defects.kinds.sdas:Sdas",
        "subtle": "flawsight.defects.kinds.subtle:Subtle",
        "scratch": "flawsight.defects.kinds.scratch:Scratch",
    },
)
AUTO_KINDS = ("nsa", "perlin", "scratch")
"""The mixture that the study of selection found best."""


def defect_kinds(defects: str) -> tuple[str, ...]:
    """The kinds that a list such as `nsa,perlin` names; `auto` is `AUTO_KINDS`.

    >>> defect_kinds("nsa, scratch"), defect_kinds("auto")
    (('nsa', 'scratch'), ('nsa', 'perlin', 'scratch'))
    """
    if defects == "auto":
        return AUTO_KINDS
    kinds = tuple(dict.fromkeys(part.strip() for part in defects.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            raise unknown("kind of defect", kind, ["auto", *KINDS])
    return kinds


def make(kind: str, *, product: Product | None = None, **params: Any) -> SyntheticDefect:
    """Return the synthetic defect of that kind, one of `KINDS`.

    params are the fields of its class. Kinds that look at the product also take the fields of `Product`, which then
    override those of `product`; `simple` and `cutpaste` have no use for a product. Raises FlawsightError for an unknown
    kind or parameter.

    >>> scratch = make("scratch", width=(2, 4))
    >>> bad, mask = scratch(images[0], np.random.default_rng(0), images[1:])
    >>> bad.shape, bool(mask.any())
    ((64, 80, 3), True)
    """
    known = {field.name for field in fields(KINDS[kind])}
    if "product" in known:
        overrides = {field.name: params.pop(field.name) for field in fields(Product) if field.name in params}
        known |= {field.name for field in fields(Product)}
        params["product"] = replace(product or Product(), **overrides)
    for name in params:
        if name not in known:
            raise unknown(f"parameter of the defect '{kind}'", name, sorted(known))
    return KINDS[kind](**params)
