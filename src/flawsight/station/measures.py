"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
Gauges = Callable[[], dict[str, tuple[str, float]]]
"""Values of the moment: name to help and value."""


class Measures:
    """Counters of one station, and gauges that are read when they are asked for."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answers = Counter(
            "flawsight_inspections", "Pictures that were inspected.", ["bundle", "verdict"], registry=self._registry
        )
        self._seconds = Histogram(
            "flawsight_inspection_seconds",
            "From the queue to the answer.",
            ["bundle"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._registry.register(self)

    def count(self, bundle: str, verdict: str, seconds: float) -> None:
        """A picture was answered, so long after it was queued."""
        self._answers.labels(bundle, verdict).inc()
        self._seconds.labels(bundle).observe(seconds)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The gauges; the registry asks for them."""
        for name, (text, value) in self._gauges().items():
            yield GaugeMetricFamily(f"flawsight_{name}", text, value=value)
