"""Have a picture inspected by a station, with Python alone.

FLAWSIGHT_TOKEN=... python inspect_picture.py http://127.0.0.1:8000 PICTURE
Exit code: 0 good, 1 defective, 2 an error, which is said on standard error.
"""

import json
import os
import sys
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

TRIES, SECONDS = 10, 60


def inspect(station: str, picture: Path) -> dict:
    """What the station answers; it is asked again, when it says, where it has too much to do."""
    headers = {"Content-Type": "application/octet-stream"}
    if token := os.environ.get("FLAWSIGHT_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    address = f"{station.rstrip('/')}/v1/inspect?name={quote(picture.name)}"
    request = Request(address, picture.read_bytes(), headers, method="POST")
    for left in reversed(range(TRIES)):
        try:
            with urlopen(request, timeout=SECONDS) as response:
                return json.load(response)
        except HTTPError as error:
            if error.code != 429 or not left:
                raise
            time.sleep(float(error.headers.get("Retry-After", 1)))
    raise AssertionError("unreachable")


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: python inspect_picture.py STATION PICTURE", file=sys.stderr)
        return 2
    try:
        answer = inspect(sys.argv[1], Path(sys.argv[2]))
    except HTTPError as error:
        body = error.read()
        is_problem = "problem+json" in error.headers.get("Content-Type", "")
        print(f"{error.code}: {json.loads(body)['detail'] if is_problem else error.reason}", file=sys.stderr)
        return 2
    except (OSError, HTTPException, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{answer['verdict']} {answer['score']:.3f}")
    for region in answer["regions"]:
        left, top, width, height = region["box"]
        print(f"region left={left} top={top} width={width} height={height} area={region['area_px']:.1f}")
    return 0 if answer["verdict"] == "good" else 1


if __name__ == "__main__":
    sys.exit(main())
