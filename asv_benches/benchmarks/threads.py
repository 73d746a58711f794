"""What a second thread costs and gives where it could hurt: all threads over one, each process new; lower is better."""

import statistics

from .common import ALL, SMOKE, some

try:
    from fastact._cli import bench_threads
except ImportError:
    bench_threads = None

PROCESSES = 1 if SMOKE else 5


class Threads:
    """100 000 float32 elements: steady, after 30 ms of rest, with a caller for each processor, beside busy processes."""

    version = "1"
    params = (some(["steady", "after a rest", "callers", "beside one", "beside two"]), some(["relu", "gelu"]))
    param_names = ("situation", "function")
    unit = "ratio"
    timeout = 300

    def setup(self, situation, function):
        """Leave out what has no pool, and machines of one processor."""
        if ALL < 2 or not hasattr(bench_threads, "measured"):
            raise NotImplementedError

    def found(self, situation, function, figure):
        """One figure of every process."""
        own = "fastact" if hasattr(bench_threads, "libraries") else "pool"  # when there was another threading layer
        return [f[figure] for f in bench_threads.measured(own, function, situation, PROCESSES)]

    def track_mean(self, situation, function):
        """The mean of the processes' means."""
        return round(statistics.fmean(self.found(situation, function, "mean")), 4)

    def track_p90(self, situation, function):
        """The median of the processes' 90th percentiles."""
        return round(statistics.median(self.found(situation, function, "p90")), 4)
