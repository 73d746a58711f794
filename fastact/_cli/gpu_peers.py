"""The same functions in other libraries on a GPU, for `bench --device cuda`; see ``peers``.

A peer raises ImportError with the reason where its library is not installed, or knows no GPU.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

import fastact as fa

from . import peers
from .peers import Call, Peer

#: What one writes for CuPy, one kernel a function; T is the type of x.
_CUPY = {
    "relu": "y = x > T(0) ? x : T(0)",
    "leaky_relu": "y = x > T(0) ? x : T(0.01) * x",
    "elu": "y = x > T(0) ? x : expm1(x)",
    "selu": "y = T(1.0507009873554805) * (x > T(0) ? x : T(1.6732632423543772) * expm1(x))",
    "sigmoid": "y = T(1) / (T(1) + exp(-x))",
    "tanh": "y = tanh(x)",
    "softplus": "y = max(x, T(0)) + log1p(exp(-abs(x)))",
    "silu": "y = x / (T(1) + exp(-x))",
    "gelu": "y = T(0.5) * x * (T(1) + erf(x * T(0.7071067811865476)))",
    "gelu_tanh": "y = T(0.5) * x * (T(1) + tanh(T(0.7978845608028654) * (x + T(0.044715) * x * x * x)))",
    "mish": "y = x * tanh(log1p(exp(x)))",
    "hard_swish": "y = x * min(max(x + T(3), T(0)), T(6)) / T(6)",
}


def fastact() -> Peer:
    """Return this package, on arrays of torch, CuPy or Numba; with "copy", the device's own copy."""
    from numba import cuda

    peer = dataclasses.replace(peers.fastact(), finish=lambda _: cuda.synchronize())
    for library in (torch, cupy):
        try:
            other = library()
        except ImportError:
            continue
        copy = (lambda x: x.clone()) if library is torch else (lambda x: x.copy())
        return dataclasses.replace(peer, forward={**peer.forward, "copy": copy}, put=other.put, get=other.get)

    def into(function: Call, argument: int) -> Call:
        """With the result in one array: each of Numba's allocations would wait for the GPU."""
        made: dict[Any, Any] = {}

        def call(*arrays: Any) -> Any:
            x = arrays[argument]
            key = x.shape, x.dtype
            if key not in made:
                made.clear()
                made[key] = cuda.device_array(x.shape, x.dtype)
            return function(*arrays, out=made[key])

        return call

    def backward(name: str) -> Call:
        function = getattr(fa, name)
        from_output = getattr(function, "backward_from_output", None)
        if from_output or not hasattr(function, "derivative"):
            call = into(from_output or function.backward, 0)
            return lambda g, x, y: call(g, y)
        call = into(function.backward, 0)
        return lambda g, x, y: call(g, x)

    def copy_to(x: Any, out: Any) -> Any:
        out.copy_to_device(x)
        return out

    alike = [name for name in peer.forward if name in peer.backward and "@" not in name]  # the result has the shape of x
    forward = {name: into(peer.forward[name], 0) for name in alike} | {"copy": into(copy_to, 0)}
    return dataclasses.replace(
        peer, forward=forward, backward={name: backward(name) for name in alike}, put=cuda.to_device,
        get=lambda y: y.copy_to_host(),
    )  # fmt: skip


def torch() -> Peer:
    """PyTorch's functions, and the kernels that its autograd calls."""
    module: Any = importlib.import_module("torch")
    if not module.cuda.is_available():
        raise ImportError("torch is installed without CUDA")
    return dataclasses.replace(
        peers.torch(), put=lambda x: module.from_numpy(x).cuda(), get=lambda y: y.cpu().numpy(),
        finish=lambda _: module.cuda.synchronize(),
    )


def cupy() -> Peer:
    """CuPy's ElementwiseKernel, with the formulas that one writes."""
    module: Any = importlib.import_module("cupy")
    if not module.cuda.is_available():
        raise ImportError("cupy finds no GPU")
    special: Any = importlib.import_module("cupyx.scipy.special")
    forward: dict[str, Call] = {name: module.ElementwiseKernel("T x", "T y", text, name) for name, text in _CUPY.items()}
    forward |= {name: functools.partial(getattr(special, name), axis=-1) for name in ("softmax", "log_softmax")}
    return Peer(
        f"CuPy {module.__version__}", forward, put=module.asarray, get=module.asnumpy,
        finish=lambda _: module.cuda.runtime.deviceSynchronize(),
    )  # fmt: skip


def jax() -> Peer:
    """JAX, compiled by jit."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    module: Any = importlib.import_module("jax")
    if module.default_backend() != "gpu":
        raise ImportError("jax is installed without CUDA")
    return dataclasses.replace(peers.jax("cuda"), wait=lambda y: y, finish=lambda y: y.block_until_ready())


def triton() -> Peer:
    """Triton: one kernel for all functions, which are its arguments, on arrays of torch."""
    base = torch()
    forward = importlib.import_module("fastact._cli.triton_kernels").forward()
    version = importlib.import_module("triton").__version__
    return dataclasses.replace(base, version=f"Triton {version}", forward=forward, backward={})


PEERS: dict[str, Callable[[], Peer]] = {"torch": torch, "cupy": cupy, "jax": jax, "triton": triton}


def card() -> dict[str, Any]:
    """Return what is known of the GPU."""
    from numba import cuda

    device = cuda.get_current_device() if hasattr(cuda, "driver") else None
    name = getattr(device, "name", "simulator")
    found: dict[str, Any] = {"card": name.decode() if isinstance(name, bytes) else str(name)}
    if device is not None and hasattr(device, "MULTIPROCESSOR_COUNT"):
        found["compute_capability"] = ".".join(map(str, device.compute_capability))
        found["multiprocessors"] = int(device.MULTIPROCESSOR_COUNT)
    return found
