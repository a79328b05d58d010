"""The kinds of synthetic defects by name. A new kind is one file and one line here."""

from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any

from flawsight.defects._base import DrawnDefect, SyntheticDefect
from flawsight.defects.nsa import NSA
from flawsight.defects.perlin import Perlin
from flawsight.defects.product import Product
from flawsight.defects.rectangle import CutPaste, Simple
from flawsight.defects.scratch import Scratch
from flawsight.defects.sdas import Sdas
from flawsight.defects.subtle import Subtle
from flawsight.errors import FlawsightError

KINDS: dict[str, type[DrawnDefect]] = {
    "simple": Simple,
    "cutpaste": CutPaste,
    "nsa": NSA,
    "perlin": Perlin,
    "sdas": Sdas,
    "subtle": Subtle,
    "scratch": Scratch,
}


def make(kind: str, *, product: Product | None = None, **params: Any) -> SyntheticDefect:
    """Return the synthetic defect of that kind, one of `KINDS`.

    params are the fields of its class. Kinds that look at the product also take the fields of `Product`, which then
    override those of `product`; `simple` and `cutpaste` have no use for a product. Raises FlawsightError for an unknown
    kind or parameter.
    """
    if kind not in KINDS:
        _reject("kind of synthetic defect", kind, list(KINDS))
    known = {field.name for field in fields(KINDS[kind])}
    if "product" in known:
        overrides = {field.name: params.pop(field.name) for field in fields(Product) if field.name in params}
        known |= {field.name for field in fields(Product)}
        params["product"] = replace(product or Product(), **overrides)
    for name in params:
        if name not in known:
            _reject(f"parameter of the defect '{kind}'", name, sorted(known))
    return KINDS[kind](**params)


def _reject(what: str, name: str, known: list[str]) -> None:
    nearest = get_close_matches(str(name), known, n=3) or known
    raise FlawsightError(f"Unknown {what}: '{name}'. Did you mean {' or '.join(nearest)}? Known: {', '.join(known)}.")
