"""fastact inside PyTorch, JAX, scikit-learn and thinc against what these do by themselves.

    pip install ".[frameworks]"
    python tools/frameworks_speed.py [torch jax sklearn thinc] [quick]

Prints tables in Markdown, for docs/frameworks.md: the framework's time over fastact's, least of many, by turns; above 1 fastact
is faster. All on one thread, for what threads gain depends on what else a machine does. Frameworks that are not installed are
left out.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before they are read
    os.environ[_variable] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np  # noqa: E402

import fastact as fa  # noqa: E402

ROUNDS = 1 if "quick" in sys.argv else 15  # to see that it runs


def least(calls: list[Callable[[], Any]], rounds: int = ROUNDS) -> list[float]:
    """The least time of each call, in seconds; they take turns."""
    best = [float("inf")] * len(calls)
    for call in calls:
        call()
    for _ in range(rounds):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def repeated(call: Callable[[], Any], times: int) -> Callable[[], Any]:
    """A call many times over."""

    def many() -> None:
        for _ in range(times):
            call()

    return many


def table(title: str, columns: list[str], lines: list[list[Any]]) -> None:
    """Print a table."""
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for line in lines:
        print("| " + " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in line) + " |", flush=True)


def of_torch() -> None:
    """Activations alone, forward and with the backward pass; what a small call costs."""
    import torch

    import fastact.torch as ft

    f = torch.nn.functional
    torch.set_num_threads(1)
    theirs = {
        "relu": f.relu, "gelu": f.gelu, "silu": f.silu, "mish": f.mish, "elu": f.elu, "selu": f.selu, "softplus": f.softplus,
        "tanh": torch.tanh, "sigmoid": torch.sigmoid, "log_sigmoid": f.logsigmoid, "hard_swish": f.hardswish,
        "softsign": f.softsign, "softmax": lambda x: torch.softmax(x, -1), "log_softmax": lambda x: torch.log_softmax(x, -1),
        "swiglu": lambda x, y: f.silu(x) * y,
    }  # fmt: skip
    lines = []
    for name, call in theirs.items():
        own, line = getattr(ft, name), [name]
        for size in ((100, 100), (1000, 1000)):
            given = [torch.randn(size) for _ in range(2 if name == "swiglu" else 1)]
            grad = torch.ones_like(given[0])
            learnt = [g.clone().requires_grad_() for g in given]
            times = 20 if size[0] == 100 else 1
            with torch.no_grad():
                a, b = least([repeated(lambda c=c, g=given: c(*g), times) for c in (call, own)])
            line.append(a / b)
            back = [repeated(lambda c=c, g=learnt, d=grad: torch.autograd.grad(c(*g), g, d), times) for c in (call, own)]
            a, b = least(back)
            line.append(a / b)
        lines.append(line)
    table(f"torch {torch.__version__}", ["function", "10⁴", "with backward", "10⁶", "with backward"], lines)
    x, weight = torch.randn(10, 10), torch.tensor(0.25)
    array, learnt, given = x.numpy(), x.clone().requires_grad_(), weight.clone().requires_grad_()
    small = {
        "gelu(x)": (fa.gelu, ft.gelu, lambda v, w: f.gelu(v), ()),
        "elu(x, 0.5)": (lambda v: fa.elu(v, 0.5), lambda v: ft.elu(v, 0.5), lambda v, w: f.elu(v, 0.5), ()),
        "prelu(x, weight)": (lambda v: fa.prelu(v, 0.25), ft.prelu, lambda v, w: f.prelu(v, w.reshape(1)), (weight, given)),
        "softmax(x)": (fa.softmax, ft.softmax, lambda v, w: torch.softmax(v, -1), ()),
        "swiglu(x, x)": (lambda v: fa.swiglu(v, v), lambda v: ft.swiglu(v, v), lambda v, w: f.silu(v) * v, ()),
        "swiglu(x)": (fa.swiglu, ft.swiglu, lambda v, w: f.silu(v[:, :5]) * v[:, 5:], ()),
    }  # fmt: skip
    lines = []
    for name, (own, ours, call, more) in small.items():
        plain, wanted = (x, *more[:1]), (learnt, *more[1:])
        grad = torch.ones_like(ours(*plain))
        calls = [lambda o=own: o(array), lambda o=ours, p=plain: o(*p), lambda o=ours, w=wanted: o(*w),
                 lambda c=call: c(x, weight), lambda c=call: c(learnt, given)]  # fmt: skip
        pair = (ours, wanted), (call, (learnt, given))
        back = [lambda o=o, g=grad, w=w: torch.autograd.grad(o(*w), learnt, g) for o, w in pair]
        lines.append([name, *(t * 1e4 for t in least([repeated(c, 100) for c in (*calls, *back)], 10 * ROUNDS))])
    columns = ["fastact", "fastact.torch", "gradient wanted", "torch", "gradient wanted", "fastact.torch with backward", "torch"]
    table("Calls of 100 numbers, in microseconds", ["call", *columns], lines)


def of_jax() -> None:
    """Compiled functions and their gradients."""
    import jax

    import fastact.jax as fj

    theirs = {
        "relu": jax.nn.relu, "gelu": lambda x: jax.nn.gelu(x, approximate=False), "silu": jax.nn.silu, "mish": jax.nn.mish,
        "elu": jax.nn.elu, "softplus": jax.nn.softplus, "tanh": jax.numpy.tanh, "sigmoid": jax.nn.sigmoid,
        "softmax": jax.nn.softmax, "log_softmax": jax.nn.log_softmax,
    }  # fmt: skip
    lines = []
    for name, call in theirs.items():
        own, line = getattr(fj, name), [name]
        for size in (100, 1000):
            x = jax.random.normal(jax.random.key(0), (size, size))
            pair = [jax.jit(c) for c in (call, own)]
            slopes = [jax.jit(jax.grad(lambda v, c=c: (c(v) * v).sum())) for c in (call, own)]
            for calls in (pair, slopes):
                a, b = least([repeated(lambda c=c, x=x: c(x).block_until_ready(), 10 if size == 100 else 1) for c in calls])
                line.append(a / b)
        lines.append(line)
    table(f"jax {jax.__version__}", ["function", "10⁴", "with gradient", "10⁶", "with gradient"], lines)


def of_sklearn() -> None:
    """Training on digits."""
    import sklearn
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    import fastact.sklearn

    warnings.simplefilter("ignore")
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    lines = []
    for name in ("relu", "tanh", "logistic"):
        line = [name]
        for units in ((100,), (512, 512)):

            def train(ours: bool, units: Any = units, name: str = name) -> None:
                if ours:
                    fastact.sklearn.install(name, "softmax")
                MLPClassifier(units, activation=name, max_iter=4, random_state=0).fit(x, y)
                fastact.sklearn.uninstall()

            a, b = least([lambda t=train: t(False), lambda t=train: t(True)], 3)
            line.append(a / b)
        lines.append(line)
    table(f"scikit-learn {sklearn.__version__}, training", ["activation", "100 units", "2 × 512"], lines)


def of_thinc() -> None:
    """Operations alone."""
    import thinc
    from thinc.api import NumpyOps

    import fastact.thinc

    ours, theirs = fastact.thinc.FastactOps(), NumpyOps()
    x = np.random.default_rng(0).normal(size=(1000, 300)).astype(np.float32)
    grad = np.ones_like(x)
    lines = []
    for name, given in {"relu": "y", "sigmoid": "y", "swish": "xy", "gelu": "x", "gelu_approx": "x", "mish": "x", "dish": "x",
                        "hard_tanh": "x", "hard_sigmoid": "x", "hard_swish_mobilenet": "x", "softmax": ""}.items():  # fmt: skip
        a, b = least([lambda o=o, n=name: getattr(o, n)(x) for o in (theirs, ours)])
        known = {"x": x, "y": getattr(theirs, name)(x)}
        rest = [known["y"], grad] if name == "softmax" else [grad, *(known[k] for k in given)]
        c, d = least([lambda o=o, n=name, r=rest: getattr(o, f"backprop_{n}")(*r) for o in (theirs, ours)])
        lines.append([name, a / b, c / d])
    table(f"thinc {thinc.__version__}, 1000 × 300", ["operation", "forward", "backward"], lines)


def main() -> None:
    """Measure what is installed."""
    fa.set_num_threads(1)
    for name, measure in (("torch", of_torch), ("jax", of_jax), ("sklearn", of_sklearn), ("thinc", of_thinc)):
        if importlib.util.find_spec(name) and name in ([a for a in sys.argv[1:] if a != "quick"] or [name]):
            measure()


if __name__ == "__main__":
    main()
