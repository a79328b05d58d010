"""What the name of a folder or a file says of the pictures in it: one table of words for all layouts."""

import re
from typing import Literal

Said = Literal["good", "bad", "train", "test", "mask"]

_WORDS: dict[Said, str] = {
    "good": """good goods ok okay oks normal normals pass passed accept accepted clean intact healthy undamaged flawless
        perfect nondefective defectfree faultfree io gut gute gutteil gutteile fehlerfrei bon bons bonne bueno buenos
        buono conforme goed bra dobry 良品 合格 合格品 正常 ok品""",
    "bad": """bad ko ng nok nio abnormal abnormals anomaly anomalies anomalous anomal defect defects def defective
        defectives fail fails failed failure failures fault faults faulty reject rejects rejected damage damaged
        broken scrap flaw flaws flawed unacceptable nonconforming schlecht schlechte schlechtteil schlechtteile
        ausschuss fehler fehlerhaft defekt defekte mauvais malo malos difettoso difetto defaut scarto rebut
        不良 不良品 不合格 缺陷 异常 異常 ng品""",
    "train": "train training trainset val valid validation",
    "test": "test tests testing testset eval evaluation",
    "mask": "mask masks groundtruth gt maske masken segmentation segmentations",
}
_MEANING: dict[str, Said] = {word: said for said, words in _WORDS.items() for word in words.split()}
_OPPOSITE: dict[Said, Said] = {"good": "bad", "bad": "good"}
_NEGATIONS = {"no", "not", "non", "un", "without", "free", "nicht", "kein", "keine", "ohne", "frei", "sans"}
# Words that say nothing beside another.
_FILLERS = {
    "image",
    "images",
    "img",
    "imgs",
    "picture",
    "pictures",
    "pics",
    "photos",
    "data",
    "set",
    "parts",
    "samples",
}
_WHOLE_ONLY = {"io", "val", "valid", "bra", "bon", "clean", "eval", "gt"}
_TOKEN = re.compile(r"[A-ZÀ-Þ]?[a-zß-ÿ]+|[A-ZÀ-Þ]+(?![a-zß-ÿ])|[^\W\d_a-zA-ZÀ-ÿ]+")


def said_by(name: str) -> Said | None:
    """What a name says, in any case, with numbers and fillers: `OK`, `01_good`, `n.i.O.`, `defect-free`, `BadParts`."""
    tokens = [token.casefold() for token in _TOKEN.findall(name)]
    telling = [token for token in tokens if token not in _FILLERS]
    for whole in ("".join(tokens), "".join(telling)):
        if whole in _MEANING:
            return _MEANING[whole]
    is_negated = any(token in _NEGATIONS for token in telling)
    meant = {_MEANING[token] for token in telling if token in _MEANING and token not in _WHOLE_ONLY}
    for said in ("bad", "good"):
        if said in meant:
            return _OPPOSITE[said] if is_negated else said
    return "mask" if "mask" in meant else None
