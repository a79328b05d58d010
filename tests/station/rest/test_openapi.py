"""Whatever the OpenAPI document allows, and what it does not, is answered as it says; never by a server error."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from flawsight.settings import ServeSettings
from flawsight.station import Station
from flawsight.station.rest import make_app

EXAMPLES = int(os.environ.get("FLAWSIGHT_SCHEMA_EXAMPLES", "15"))
HOST = {"Host": "localhost"}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def document(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    folder = tmp_path_factory.mktemp("station")
    plates = Path(shutil.copytree(bundle, folder / "plates"))
    station = Station(ServeSettings.of({"bundles": plates, "history": folder / "history.db", "threads": 1}))
    station.start()
    yield schemathesis.openapi.from_asgi("/openapi.json", make_app(station, page=False), headers=HOST)
    station.stop()


MODES = {
    "allowed": (GenerationMode.POSITIVE, False),
    "not allowed": (GenerationMode.NEGATIVE, False),
    "of what is there": (GenerationMode.POSITIVE, True),
}


@pytest.mark.parametrize("how", MODES)
def test_no_request_breaks_it(document: BaseSchema, bad_png: bytes, how: str) -> None:
    mode, is_there = MODES[how]
    known = {"name": "plates"}
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 15
    statuses: Counter[int] = Counter()
    for operation in operations:
        try:
            cases = operation.as_strategy(generation_mode=mode)

            @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
            @given(case=cases)
            def check(case: schemathesis.Case) -> None:
                if is_there:
                    case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
                    case.query = {name: value for name, value in (case.query or {}).items() if name != "bundle"}
                    if case.operation.label == "POST /v1/inspect":
                        case.body, case.media_type = bad_png, "image/png"
                answer = case.call_and_validate(checks=CHECKS, headers=HOST)
                statuses[answer.status_code] += 1
                if case.operation.label == "POST /v1/inspect" and answer.status_code == 200:
                    known["id"] = answer.json()["id"]

            check()
        except Unsatisfiable:  # nothing can be wrong about a request without parameters
            assert mode is GenerationMode.NEGATIVE and not operation.path_parameters and not operation.body
    assert len(statuses) >= 3 and (statuses[404] == 0 or not is_there)
