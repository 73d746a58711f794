"""What surrounds the arithmetic: layouts, small calls, import, memory."""

import re
from pathlib import Path

import numpy as np

import fastact as fa

from .common import DTYPES, Timed, numbers, prepared, set_threads, some

N = 100_000

LAYOUTS = {
    "into out=": lambda x: (x, np.empty_like(x)),
    "fresh output": lambda x: (x, None),
    "in place": lambda x: (x, x),
    "every other element": lambda x: (np.repeat(x, 2)[::2], np.empty_like(x)),
    "reversed": lambda x: (x[::-1], np.empty_like(x)),
    "transposed into C order": lambda x: (x.reshape(100, -1).T, np.empty((x.size // 100, 100), x.dtype)),
    "broadcast rows": lambda x: (np.broadcast_to(x[:1000], (x.size // 1000, 1000)), np.empty((x.size // 1000, 1000), x.dtype)),
    "misaligned": lambda x: (np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype), np.empty_like(x)),
    "float16": lambda x: (x.astype(np.float16), np.empty(x.size, np.float16)),
}


@prepared
def laid_out(function, layout, dtype):
    """A call without arguments; results in place stay what they are, so that the work does."""
    set_threads("all")
    x, out = LAYOUTS[layout](np.abs(numbers(N, dtype)) + 10 if layout == "in place" else numbers(N, dtype))
    call = getattr(fa, function)
    return (lambda: call(x)) if out is None else (lambda: call(x, out=out))


class Layouts(Timed):
    """100 000 elements in memory in ways other than one after another, on all threads."""

    params = (["relu", "gelu"], some(LAYOUTS), DTYPES)
    param_names = ("function", "layout", "dtype")

    def time_call(self, function, layout, dtype):
        """One call."""
        laid_out(function, layout, dtype)()


class SmallCalls:
    """Calls on ten elements: all of it is overhead."""

    version = "1"
    x = np.linspace(-2, 2, 10, dtype=np.float32)
    out = np.empty_like(x)
    weight = np.full(10, 0.25, np.float32)
    listed = x.tolist()

    def time_relu(self):
        """Plain array, fresh output."""
        fa.relu(self.x)

    def time_relu_out(self):
        """Plain array and ``out=``."""
        fa.relu(self.x, out=self.out)

    def time_relu_list(self):
        """A list of ten numbers."""
        fa.relu(self.listed)

    def time_relu_float(self):
        """A Python number."""
        fa.relu(0.5)

    def time_elu_alpha(self):
        """A parameter by name."""
        fa.elu(self.x, alpha=0.5)

    def time_prelu_array(self):
        """A parameter for each element: the general path."""
        fa.prelu(self.x, self.weight)

    def time_gelu_value_and_derivative(self):
        """Two outputs."""
        fa.gelu.value_and_derivative(self.x)

    def time_numpy_maximum(self):
        """What NumPy costs for relu."""
        np.maximum(self.x, 0)


class SmallGroups(Timed):
    """Row-wise functions and gated units on ten elements."""

    params = (["softmax", "swiglu"],)
    param_names = ("function",)
    x = SmallCalls.x

    def time_call(self, function):
        """Plain array, fresh output."""
        getattr(fa, function)(self.x)


class Import:
    """``import fastact`` in a new interpreter, NumPy's import included and alone."""

    version = "1"

    def timeraw_fastact(self):
        """All of it."""
        return "import fastact"

    def timeraw_numpy(self):
        """What NumPy takes of it."""
        return "import numpy"


class Memory:
    """Memory of a call on 80 MB of float32, on all threads."""

    version = "1"
    params = (["in place", "into out=", "fresh output"],)
    param_names = ("output",)

    def _call(self, output):
        set_threads("all")
        x = np.ones(20_000_000, np.float32)
        out = x if output == "in place" else np.ones_like(x) if output == "into out=" else None
        fa.gelu(x[:N], out=np.empty(N, np.float32))  # starts threads
        before = peak()
        fa.gelu(x) if out is None else fa.gelu(x, out=out)
        return peak() - before

    def peakmem_call(self, output):
        """The most that the process ever held, interpreter and arrays included."""
        self._call(output)

    def track_growth(self, output):
        """What the call added to that: nothing in place, 76 MiB for a fresh output."""
        return round(self._call(output) / 2**20)

    track_growth.unit = "MiB"


def peak():
    """The most memory that this process ever held, in bytes; 0 where there is no /proc to say it.

    ``getrusage`` counts what the process held before it became this program.
    """
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", text)[1])
