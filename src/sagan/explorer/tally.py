"""Counts for Prometheus, in its text format (version 0.0.4)."""

from __future__ import annotations

import threading
from collections import Counter

BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Tally:
    """Written by the worker and the server, read by whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds, self._answers = 0.0, 0
        self._pictures, self._batches, self._drawing = 0, 0, 0.0

    def answered(self, route: str, status: int, seconds: float) -> None:
        """One request. route: from a short list, never the address as it was sent."""
        with self._lock:
            self._requests[route, status] += 1
            self._seconds += seconds
            self._answers += 1
            for bound in BOUNDS:
                if seconds <= bound:
                    self._buckets[bound] += 1

    def drawn(self, pictures: int, seconds: float) -> None:
        """One batch."""
        with self._lock:
            self._pictures += pictures
            self._batches += 1
            self._drawing += seconds

    def text(self, waiting: int) -> str:
        """All of it. waiting: requests in the queue now."""
        with self._lock:
            lines = ["# TYPE sagan_requests_total counter"]
            lines += [
                f'sagan_requests_total{{route="{route}",status="{status}"}} {count}'
                for (route, status), count in sorted(self._requests.items())
            ]
            lines.append("# TYPE sagan_request_seconds histogram")
            lines += [f'sagan_request_seconds_bucket{{le="{bound:g}"}} {self._buckets[bound]}' for bound in BOUNDS]
            lines += [
                f'sagan_request_seconds_bucket{{le="+Inf"}} {self._answers}',
                f"sagan_request_seconds_sum {self._seconds:.6f}",
                f"sagan_request_seconds_count {self._answers}",
            ]
            for name, value in (
                ("sagan_pictures_total", f"{self._pictures}"),
                ("sagan_batches_total", f"{self._batches}"),
                ("sagan_drawing_seconds_total", f"{self._drawing:.6f}"),
            ):
                lines += [f"# TYPE {name} counter", f"{name} {value}"]
            lines += ["# TYPE sagan_queue gauge", f"sagan_queue {waiting}"]
        return "\n".join(lines) + "\n"
