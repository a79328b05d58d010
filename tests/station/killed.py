"""A station without an inspector, to be killed: a watched folder, the real history, the real outbox."""

import hashlib
import queue
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from flawsight.settings.station import HistoryOptions, OutboxOptions
from flawsight.station.engine import Answer
from flawsight.station.history import Entry, History, NotKept, Record, Watched, new_id
from flawsight.station.outbox import Outbox, sinks_of
from flawsight.station.outbox.outbox import Delays
from flawsight.station.watch import Watcher
from flawsight.station.watch.status import Pace

MOST_AT_ONCE = 4


def entry_of(picture: bytes, name: str, watched: Watched) -> Entry:
    sha256 = hashlib.sha256(picture).hexdigest()
    record = Record(
        new_id(), time.time(), "tiles", "d", name, "watch", sha256, "good", (8, 8), 1.0, 0.5, 2.0, has_picture=True
    )
    return Entry(record, thumbnail=picture[:50], picture=picture, watched=watched)


def main(root: Path, webhook: str, with_done: bool) -> None:
    sinks = sinks_of(OutboxOptions.of({"csv": root / "out.csv", "jsonl": root / "out.jsonl", "webhook": webhook}))
    history = History(HistoryOptions(history=root / "history.db"), [sink.name for sink in sinks])
    outbox = Outbox(history, sinks, Delays(0.05, 0.2, 0.2))
    jobs: queue.Queue[tuple[Entry, Future[Answer]]] = queue.Queue(8)

    def submit(picture: bytes, name: str, watched: Watched) -> Future[Answer]:
        future: Future[Answer] = Future()
        jobs.put((entry_of(picture, name, watched), future))
        return future

    def work() -> None:
        while True:
            taken = [jobs.get()]
            while len(taken) < MOST_AT_ONCE and not jobs.empty():
                taken.append(jobs.get())
            try:
                history.add([entry for entry, _ in taken])
                is_kept = True
            except NotKept:
                is_kept = False
            for entry, future in taken:
                future.set_result(Answer(entry.record, None, is_kept))
            outbox.wake()

    watcher = Watcher(root / "in", root / "done" if with_done else None, submit, history, pace=Pace(0.05, 0.02, 0.1))
    threading.Thread(target=work, daemon=True).start()
    outbox.start()
    watcher.start()
    print("started", flush=True)
    while True:
        time.sleep(0.02)
        history.prune()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "done")
