"""One thread, float32, in cache: fastact and ONNX Runtime in units of PyTorch's time, which is a yardstick on any machine.

    python tools/yardstick.py [--rounds 200]

The three take turns in one process, and the least of many calls counts. Elementwise functions are measured against PyTorch's
sigmoid of the same 100,000 elements, softmax and log_softmax against PyTorch's of the same rows. All write into arrays that are
there. Needs PyTorch, ONNX Runtime and onnx.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper

import fastact as fa
from fastact.cpu.levels import LEVEL

SIZE = 100_000
ELEMENTWISE = {"sigmoid": ("Sigmoid", {}), "tanh": ("Tanh", {}), "gelu_tanh": ("Gelu", {"approximate": "tanh"})}
ROWS = {"softmax": ("Softmax", torch.softmax), "log_softmax": ("LogSoftmax", torch.log_softmax)}
LENGTHS = (32, 100, 500, 1000, 4096, 10000)


def of_onnx(operator: str, x: np.ndarray, y: np.ndarray, **attributes: Any) -> Callable[[], Any]:
    """A call of ONNX Runtime that writes into y."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], **attributes)], "yardstick", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y", "cpu", 0, np.float32, x.shape, y.ctypes.data)
    return lambda: session.run_with_iobinding(binding)


def least(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The seconds of each call: the least of so many rounds, in which all take a turn of two calls."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            call()
            best[name] = min(best[name], (time.perf_counter() - start) / 2)
    return best


def show(name: str, x: np.ndarray, calls: dict[str, Callable[[], Any]], rounds: int) -> None:
    """Print the line of a function."""
    best = least(calls, rounds)
    times = "  ".join(f"{best[k] / x.size * 1e9:9.3f}" for k in ("fastact", "onnx", "torch"))
    print(f"{name:20}{times}{best['fastact'] / best['torch']:9.2f}{best['onnx'] / best['torch']:9.2f}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    fa.set_num_threads(1)
    print(f"{LEVEL}; PyTorch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}: nanoseconds an element; over PyTorch")
    print(f"{'':20}{'fastact':>9}{'onnx':>11}{'torch':>11}{'fastact':>9}{'onnx':>9}")
    x = np.random.default_rng(1).normal(0, 3, SIZE).astype(np.float32)
    y, given = np.empty_like(x), torch.from_numpy(x)
    made = torch.empty_like(given)
    for name, (operator, attributes) in ELEMENTWISE.items():
        function = getattr(fa, name)
        calls = {"fastact": lambda f=function: f(x, out=y), "onnx": of_onnx(operator, x, y, **attributes)}
        show(name, x, calls | {"torch": lambda: torch.sigmoid(given, out=made)}, rounds)
    for name, (operator, peer) in ROWS.items():
        for n in LENGTHS:
            function, rows = getattr(fa, name), x[: SIZE // n * n].reshape(-1, n)
            into, tensor = np.empty_like(rows), torch.from_numpy(rows)
            other = torch.empty_like(tensor)
            calls = {"fastact": lambda f=function, a=rows, b=into: f(a, out=b), "onnx": of_onnx(operator, rows, into, axis=-1)}
            show(f"{name} {n}", rows, calls | {"torch": lambda p=peer, a=tensor, b=other: p(a, 1, out=b)}, rounds)


if __name__ == "__main__":
    main()
