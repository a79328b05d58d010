"""What the inspection station takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ByteSize, Field

from flawsight.settings.base import Options, Text, option
from flawsight.settings.commands import argument, several
from flawsight.settings.drift import DriftOptions
from flawsight.settings.groups import GraphOptions, PixelOptions
from flawsight.settings.parse import watched_of

Watched = Annotated[tuple[tuple[str, Path], ...], BeforeValidator(watched_of)]


class AccessOptions(Options):
    """Who reaches the station, and how.

    >>> AccessOptions().host, AccessOptions().port
    ('127.0.0.1', 8000)
    """

    host: Text = option("127.0.0.1", "Address to listen on; any but this machine's own needs --token-file.")
    port: int = option(8000, "Port to listen on; 0: any that is free.", ge=0, le=65535)
    token_file: Path | None = option(None, "File with the token that every request must carry.")
    queue: int = option(64, "So many pictures may wait; more are refused for the moment (429).", ge=1)
    max_bytes: ByteSize = option(64_000_000, "Refuse a request with more than this.", metavar="SIZE", ge=1)
    timeout: float = option(
        30.0, "A request must have come, and a picture have been inspected, in this time.", gt=0, metavar="SECONDS"
    )


class WatchOptions(Options):
    """Folders into which cameras write.

    >>> WatchOptions.of({"watch": ["tiles=camera/1"]}).watch
    (('tiles', PosixPath('camera/1')),)
    """

    watch: Watched = option(
        (),
        "Inspect what is written into this folder; with several bundles say which. Repeatable.",
        metavar="[BUNDLE=]DIR",
        repeatable=True,
    )
    bundle: str | None = option(None, "The bundle that inspects where none is named; default: the first.")
    done: Path | None = option(None, "Folder to which inspected pictures are moved; default: they stay.")


class HistoryOptions(Options):
    """What the station remembers.

    >>> HistoryOptions().keep
    'stopped'
    """

    history: Path = option(Path("flawsight-station/history.db"), "File of the verdicts; pictures are kept beside it.")
    keep: Literal["stopped", "all", "none"] = option(
        "stopped", "Pictures to keep: stopped (and those near the threshold), all, or none."
    )
    keep_days: float = option(90.0, "Forget what is older.", gt=0, metavar="DAYS")
    keep_size: ByteSize = option(10_000_000_000, "Forget the oldest when more is kept.", metavar="SIZE", ge=1_000_000)


class OutboxOptions(Options):
    """Where verdicts go.

    >>> OutboxOptions.of({"mqtt": "mqtt://broker/line/3"}).mqtt
    'mqtt://broker/line/3'
    """

    csv: Path | None = option(None, "Append every verdict to this table.")
    jsonl: Path | None = option(None, "Append every verdict to this file, a JSON document a line.")
    webhook: str | None = option(None, "Post every verdict to this address, as JSON.", metavar="URL")
    mqtt: str | None = option(
        None, "Publish every verdict: mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC, or mqtts://...", metavar="URL"
    )


class LearnAgainOptions(Options):
    """What learning again needs.

    >>> LearnAgainOptions().good is None
    True
    """

    good: Path | None = option(None, "Folder of the good pictures of the fit, to learn again with those marked good.")
    fit_with: Path | None = option(
        None, "The `flawsight` program of an environment with the extra fit; default: this one, where it has it."
    )


class ServeSettings(
    LearnAgainOptions,
    DriftOptions,
    OutboxOptions,
    HistoryOptions,
    WatchOptions,
    AccessOptions,
    GraphOptions,
    PixelOptions,
):
    """The options of `serve`.

    >>> settings = ServeSettings.of({"bundles": "inspector", "queue": 8})
    >>> settings.bundles, settings.queue
    ((PosixPath('inspector'),), 8)
    """

    bundles: Annotated[tuple[Path, ...], BeforeValidator(several)] = argument(
        "Folders that `fit` wrote; each is called as its folder."
    )


class DoctorSettings(GraphOptions):
    """The options of `doctor`.

    >>> DoctorSettings.of({"bundle": "inspector"}).history.name
    'history.db'
    """

    bundle: Path = Field(description="Folder that `fit` wrote.", json_schema_extra={"argument": True})
    history: Path = option(Path("flawsight-station/history.db"), "File of the verdicts that the station will write.")
    watch: Watched = option((), "Folders that it will watch.", metavar="[BUNDLE=]DIR", repeatable=True)
    port: int = option(8000, "Port that it will listen on.", ge=0, le=65535)
