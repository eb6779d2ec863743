"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """What Prometheus is told.

    Attributes:
        busy: requests whose body is in, at work or waiting.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("path", "status")
        self.requests = Counter("digits_requests", "Requests.", labels, registry=self.registry)
        self.seconds = Histogram(
            "digits_request_seconds",
            "From the head of a request to the end of its answer.",
            ["path"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
            registry=self.registry,
        )
        self.busy = 0
        gauge = Gauge("digits_busy_requests", "At work or waiting.", registry=self.registry)
        gauge.set_function(lambda: self.busy)
        self.batch = Histogram(
            "digits_batch_images",
            "Images that a model was given at once.",
            buckets=[2**n for n in range(15)],
            registry=self.registry,
        )
        self.collected = Counter(
            "digits_collected",
            "Digits kept, lost because they could not be, or skipped as too many came at once.",
            ["result"],
            registry=self.registry,
        )
        self.drift = Gauge(
            "digits_drift_psi",
            "Effect size of a feature's drift, as `digits drift` found it last.",
            ["feature"],
            registry=self.registry,
        )
        self.drifted = Gauge(
            "digits_drifted_features",
            "Features that have drifted, as `digits drift` found it last.",
            registry=self.registry,
        )
        self.digits = Counter(
            "digits_answers", "Digits answered.", ["refused"], registry=self.registry
        )
