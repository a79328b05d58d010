"""A Ray cluster of more than one node: a node leaves, the head goes, the object store is small, nobody answers."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from executor_jobs import Large, Squared, done_by

from flawsight.core import FlawsightError
from flawsight.executors import open_executor

pytest.importorskip("ray", reason="the extra 'scale' is not installed")


@pytest.fixture
def two_nodes() -> Iterator[Any]:
    """A head of one core, and a node of one core."""
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=small)
    cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    yield cluster
    cluster.shutdown()


def later(seconds: float, action: Any) -> None:
    threading.Timer(seconds, action).start()


def test_a_node_leaves(two_nodes: Any, tmp_path: Path) -> None:
    (node,) = [one for one in two_nodes.list_all_nodes() if not one.is_head()]
    with open_executor(ray=two_nodes.address) as executor:
        assert executor.workers == 2
        found = []
        for outcome in executor.map(Squared(tmp_path, 0.5), range(12)):
            found.append(outcome)
            if len(found) == 3:
                two_nodes.remove_node(node, allow_graceful=False)
    assert sorted((one.number, one.value, one.lost) for one in found) == [(k, k**2, "") for k in range(12)]
    assert sum(len(done_by(tmp_path, number)) for number in range(12)) <= 13  # what the node had begun, again


def test_the_head_goes(two_nodes: Any, tmp_path: Path) -> None:
    found = []
    with (
        pytest.raises(FlawsightError, match="head of the Ray cluster is gone"),
        open_executor(ray=two_nodes.address) as executor,
    ):
        for outcome in executor.map(Squared(tmp_path, 0.5), range(200)):
            found.append(outcome)
            if len(found) == 3:
                two_nodes.head_node.kill_gcs_server()
    assert len(found) >= 3


def test_a_job_may_be_larger_than_the_object_store(two_nodes: Any, tmp_path: Path) -> None:
    data = bytes(120 << 20)
    with open_executor(ray=two_nodes.address) as executor:
        assert {one.value for one in executor.map(Large(tmp_path, data), range(3))} == {len(data) + k for k in range(3)}


def test_nobody_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for wrong in (address, "nonsense"):
        with pytest.raises(FlawsightError, match=f"no Ray cluster answers at '{wrong}'"), open_executor(ray=wrong):
            pass
