"""The same functions in other libraries, for `bench --peers` and `verify --peers`.

A peer is made by the function of its name in `PEERS`, which imports the library. It turns NumPy arrays
into the library's own once (`put`), and then ``forward`` and ``backward`` are called on those, each call
with a fresh output, as its users call it; `get` turns a result into a NumPy array. Names are fastact's.
"""

from __future__ import annotations

import functools
import importlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fastact as fa

from .common import CommandError

Call = Callable[..., Any]


ROW = 1000  # elements of a row of softmax and log_softmax

#: Row-wise functions along the last axis, and along the first.
AXES = {"": -1, "@0": 0}


@dataclass
class Peer:
    """A library.

    Attributes
    ----------
    version : str
        Its version.
    forward : dict
        Name to ``call(x)``.
    backward : dict
        Name to ``call(grad, x, y)``; ``y`` is what forward gave.
    put, get : callable
        From a NumPy array to the library's own, and back.
    wait : callable
        Returns when a result has been computed.
    finish : callable
        Called with the last result of a turn; returns when all of them have been computed.
    """

    version: str
    forward: dict[str, Call]
    backward: dict[str, Call] = field(default_factory=dict)
    put: Call = lambda x: x
    get: Call = np.asarray
    wait: Call = lambda result: result
    finish: Call = lambda result: None

    def has(self, name: str, kind: str, dtype: str) -> bool:
        """Whether the library has a function, "forward" or "backward", and computes it in the dtype."""
        if name not in (self.forward if kind == "forward" else self.backward):
            return False
        try:
            self.forward[name](self.put(np.zeros((2, 2), dtype)))
        except Exception:  # libraries differ in what they raise
            return False
        return True


def numpy() -> Peer:
    """NumPy and SciPy: the expressions that one writes."""
    from .expressions import expressions

    try:
        scipy = importlib.import_module("scipy")
        special = importlib.import_module("scipy.special")
    except ImportError:
        return Peer(f"NumPy {np.__version__}", expressions())
    rows = {"softmax": lambda x: special.softmax(x, axis=-1), "log_softmax": lambda x: special.log_softmax(x, axis=-1)}
    backward: dict[str, Call] = {
        "relu": lambda g, x, y: np.where(x > 0, g, 0),
        "leaky_relu": lambda g, x, y: np.where(x > 0, g, 0.01 * g),
        "elu": lambda g, x, y: g * np.where(x > 0, 1, y + 1),
        "selu": lambda g, x, y: g * np.where(x > 0, 1.0507009873554805, y + 1.7580993408473766),
        "sigmoid": lambda g, x, y: g * y * (1 - y),
        "tanh": lambda g, x, y: g * (1 - y * y),
        "softplus": lambda g, x, y: g * special.expit(x),
        "hard_swish": lambda g, x, y: g * np.where(x < -3, 0, np.where(x > 3, 1, x / 3 + 0.5)),
        "silu": lambda g, x, y: _gate(g, x, special.expit(x)),
        "gelu": lambda g, x, y: g * (special.ndtr(x) + x * np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))),
        "softmax": lambda g, x, y: y * (g - np.sum(g * y, axis=-1, keepdims=True)),
        "log_softmax": lambda g, x, y: g - np.exp(y) * np.sum(g, axis=-1, keepdims=True),
    }
    return Peer(f"NumPy {np.__version__}, SciPy {scipy.__version__}", {**expressions(), **rows}, backward)


def _gate(g: Any, x: Any, s: Any) -> Any:
    return g * (s * (1 + x * (1 - s)))


def torch() -> Peer:
    """PyTorch on the CPU: its functions without autograd, and the kernels that its autograd calls."""
    torch: Any = importlib.import_module("torch")
    f, aten = torch.nn.functional, torch.ops.aten
    torch.set_grad_enabled(False)
    forward = {
        "relu": f.relu, "relu6": f.relu6, "leaky_relu": f.leaky_relu, "elu": f.elu, "selu": f.selu, "celu": f.celu,
        "sigmoid": torch.sigmoid, "log_sigmoid": f.logsigmoid, "hard_sigmoid": f.hardsigmoid, "tanh": torch.tanh,
        "hard_tanh": f.hardtanh, "tanh_shrink": f.tanhshrink, "softplus": f.softplus, "softsign": f.softsign,
        "silu": f.silu, "gelu": f.gelu, "gelu_tanh": functools.partial(f.gelu, approximate="tanh"), "mish": f.mish,
        "hard_swish": f.hardswish, "soft_shrink": f.softshrink, "hard_shrink": f.hardshrink, "exponential": torch.exp,
        "arctan": torch.atan,
    }  # fmt: skip
    backward = {
        "relu": lambda g, x, y: aten.threshold_backward(g, y, 0),
        "leaky_relu": lambda g, x, y: aten.leaky_relu_backward(g, x, 0.01, False),
        "elu": lambda g, x, y: aten.elu_backward(g, 1.0, 1.0, 1.0, True, y),
        "selu": lambda g, x, y: aten.elu_backward(g, 1.6732632423543772, 1.0507009873554805, 1.0, True, y),
        "sigmoid": lambda g, x, y: aten.sigmoid_backward(g, y),
        "tanh": lambda g, x, y: aten.tanh_backward(g, y),
        "softplus": lambda g, x, y: aten.softplus_backward(g, x, 1.0, 20.0),
        "silu": lambda g, x, y: aten.silu_backward(g, x),
        "gelu": lambda g, x, y: aten.gelu_backward(g, x),
        "gelu_tanh": lambda g, x, y: aten.gelu_backward(g, x, approximate="tanh"),
        "mish": lambda g, x, y: aten.mish_backward(g, x),
        "hard_swish": lambda g, x, y: aten.hardswish_backward(g, x),
    }
    def rows(slope: Call, axis: int, g: Any, x: Any, y: Any) -> Any:
        return slope(g, y, axis, x.dtype)

    for name, call, slope in (("softmax", torch.softmax, aten._softmax_backward_data),
                              ("log_softmax", torch.log_softmax, aten._log_softmax_backward_data)):  # fmt: skip
        for suffix, axis in AXES.items():
            forward[name + suffix] = functools.partial(call, dim=axis)
            backward[name + suffix] = functools.partial(rows, slope, axis)

    def swiglu(x: Any) -> Any:
        a, b = x.chunk(2, -1)
        return f.silu(a) * b

    forward["swiglu"] = swiglu
    return Peer(f"PyTorch {torch.__version__}", forward, backward, torch.from_numpy, lambda y: y.numpy())


def jax(platform: str = "cpu") -> Peer:
    """JAX, compiled by jit."""
    jax: Any = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", platform)
    nn, jnp = jax.nn, jax.numpy
    plain = {
        "relu": nn.relu, "relu6": nn.relu6, "leaky_relu": nn.leaky_relu, "elu": nn.elu, "selu": nn.selu, "celu": nn.celu,
        "sigmoid": nn.sigmoid, "log_sigmoid": nn.log_sigmoid, "hard_sigmoid": nn.hard_sigmoid, "tanh": jnp.tanh,
        "hard_tanh": nn.hard_tanh, "softplus": nn.softplus, "softsign": nn.soft_sign, "silu": nn.silu, "mish": nn.mish,
        "gelu": functools.partial(nn.gelu, approximate=False), "gelu_tanh": functools.partial(nn.gelu, approximate=True),
        "hard_swish": nn.hard_swish, "squareplus": nn.squareplus, "sparse_plus": nn.sparse_plus,
        "sparse_sigmoid": nn.sparse_sigmoid, "exponential": jnp.exp, "arctan": jnp.arctan,
    }  # fmt: skip

    plain |= {name + suffix: functools.partial(getattr(nn, name), axis=axis)
              for name in ("softmax", "log_softmax") for suffix, axis in AXES.items()}  # fmt: skip

    def gradient(function: Call) -> Call:
        return lambda g, x, y: jax.vjp(function, x)[1](g)[0]

    forward = {name: jax.jit(function) for name, function in plain.items()}
    backward = {name: jax.jit(gradient(function)) for name, function in plain.items()}
    return Peer(f"JAX {jax.__version__}", forward, backward, jnp.asarray, wait=lambda y: y.block_until_ready())


def onnxruntime(threads: int = 0) -> Peer:
    """ONNX Runtime: one session per function and dtype, on so many threads (0: as many as it likes)."""
    runtime: Any = importlib.import_module("onnxruntime")
    helper: Any = importlib.import_module("onnx.helper")
    types: Any = importlib.import_module("onnx").TensorProto
    runtime.set_default_logger_severity(4)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    operators: dict[str, tuple[str, dict[str, Any]]] = {
        "relu": ("Relu", {}), "leaky_relu": ("LeakyRelu", {"alpha": 0.01}), "elu": ("Elu", {}), "selu": ("Selu", {}),
        "celu": ("Celu", {}), "sigmoid": ("Sigmoid", {}), "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6}),
        "tanh": ("Tanh", {}), "softplus": ("Softplus", {}), "softsign": ("Softsign", {}), "mish": ("Mish", {}),
        "gelu": ("Gelu", {}), "gelu_tanh": ("Gelu", {"approximate": "tanh"}), "hard_swish": ("HardSwish", {}),
        "exponential": ("Exp", {}), "arctan": ("Atan", {}),
    }  # fmt: skip
    for suffix, axis in AXES.items():
        operators |= {f"softmax{suffix}": ("Softmax", {"axis": axis}), f"log_softmax{suffix}": ("LogSoftmax", {"axis": axis})}
    sessions: dict[tuple[str, str, int], Any] = {}

    def session(name: str, dtype: str, dimensions: int) -> Any:
        key = name, dtype, dimensions
        if key not in sessions:
            operator, attributes = operators[name]
            kind = {"float32": types.FLOAT, "float64": types.DOUBLE}[dtype]
            shape = [f"n{i}" for i in range(dimensions)]
            ends = [helper.make_tensor_value_info(end, kind, shape) for end in "xy"]
            graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"], **attributes)], name, ends[:1], ends[1:])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
            sessions[key] = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return sessions[key]

    def caller(name: str) -> Call:
        return lambda x: session(name, x.dtype.name, x.ndim).run(None, {"x": x})[0]

    return Peer(f"ONNX Runtime {runtime.__version__}", {name: caller(name) for name in operators})


def numexpr() -> Peer:
    """numexpr: the same expressions as strings."""
    library: Any = importlib.import_module("numexpr")
    texts = {
        "relu": "where(x > 0, x, 0)", "leaky_relu": "where(x > 0, x, x * 0.01)", "elu": "where(x > 0, x, expm1(x))",
        "selu": "1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * expm1(x))", "sigmoid": "1 / (1 + exp(-x))",
        "tanh": "tanh(x)", "softplus": "log1p(exp(x))", "silu": "x / (1 + exp(-x))", "mish": "x * tanh(log1p(exp(x)))",
        "gelu_tanh": "0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))",
        "hard_swish": "where(x > 3, x, where(x < -3, 0, x * (x + 3) / 6))", "exponential": "exp(x)", "arctan": "arctan(x)",
    }  # fmt: skip

    def caller(text: str) -> Call:
        return lambda x: library.evaluate(text, {"x": x}, {}, truediv=True)

    return Peer(f"numexpr {library.__version__}", {name: caller(text) for name, text in texts.items()})


def thinc() -> Peer:
    """thinc's operations on NumPy arrays."""
    library: Any = importlib.import_module("thinc.api")
    version = importlib.import_module("importlib.metadata").version("thinc")
    ops = library.get_current_ops()
    forward = {
        "relu": ops.relu, "sigmoid": ops.sigmoid, "silu": ops.swish, "gelu": ops.gelu, "gelu_tanh": ops.gelu_approx,
        "mish": ops.mish, "dish": ops.dish, "softmax": ops.softmax,
    }  # fmt: skip
    backward = {
        "relu": lambda g, x, y: ops.backprop_relu(g, y),
        "sigmoid": lambda g, x, y: ops.backprop_sigmoid(g, y),
        "silu": lambda g, x, y: ops.backprop_swish(g, x, y),
        "gelu": lambda g, x, y: ops.backprop_gelu(g, x),
        "gelu_tanh": lambda g, x, y: ops.backprop_gelu_approx(g, x),
        "mish": lambda g, x, y: ops.backprop_mish(g, x),
        "softmax": lambda g, x, y: ops.backprop_softmax(y, g, axis=-1),
    }
    return Peer(f"thinc {version}", forward, backward)


def openvino() -> Peer:
    """OpenVINO: one compiled model per function and rank, in float32, which is what its CPU plugin computes."""
    library: Any = importlib.import_module("openvino")
    ops: Any = importlib.import_module("openvino.opset13")
    core = library.Core()
    operators: dict[str, Call] = {
        "relu": ops.relu, "elu": lambda x: ops.elu(x, 1.0), "sigmoid": ops.sigmoid, "tanh": ops.tanh, "softplus": ops.softplus,
        "softsign": ops.softsign, "silu": ops.swish, "gelu": lambda x: ops.gelu(x, "erf"), "mish": ops.mish,
        "gelu_tanh": lambda x: ops.gelu(x, "tanh"), "hard_swish": ops.hswish, "exponential": ops.exp, "arctan": ops.atan,
        "relu6": lambda x: ops.clamp(x, 0.0, 6.0), "hard_tanh": lambda x: ops.clamp(x, -1.0, 1.0),
    }  # fmt: skip
    single = np.float32
    operators["leaky_relu"] = lambda x: ops.prelu(x, single(0.01))
    operators["selu"] = lambda x: ops.selu(x, single(1.6732632423543772), single(1.0507009873554805))
    operators["hard_sigmoid"] = lambda x: ops.hard_sigmoid(x, single(1 / 6), single(0.5))
    for suffix, axis in AXES.items():  # axes are counted from the front; all arrays of rows have two
        operators[f"softmax{suffix}"] = functools.partial(ops.softmax, axis=axis % 2)
        operators[f"log_softmax{suffix}"] = functools.partial(ops.log_softmax, axis=axis % 2)
    models: dict[tuple[str, int], Any] = {}

    def model(name: str, dimensions: int) -> Any:
        if (name, dimensions) not in models:
            x = ops.parameter([-1] * dimensions, np.float32)
            made = library.Model([operators[name](x)], [x], name)
            hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
            models[name, dimensions] = core.compile_model(made, "CPU", hints)
        return models[name, dimensions]

    def caller(name: str) -> Call:
        return lambda x: model(name, x.ndim)(x, share_inputs=True)[0]

    def put(x: np.ndarray) -> np.ndarray:
        if x.dtype != np.float32:
            raise TypeError("computed in float32 alone")
        return x

    return Peer(f"OpenVINO {library.__version__.partition('-')[0]}", {n: caller(n) for n in operators}, put=put)


def tensorflow() -> Peer:
    """TensorFlow, eagerly: its functions, and the kernels that its gradients call."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    library: Any = importlib.import_module("tensorflow")
    nn, raw = library.nn, library.raw_ops
    forward = {
        "relu": nn.relu, "relu6": nn.relu6, "leaky_relu": functools.partial(nn.leaky_relu, alpha=0.01), "elu": nn.elu,
        "selu": nn.selu, "sigmoid": nn.sigmoid, "log_sigmoid": library.math.log_sigmoid, "tanh": library.tanh,
        "softplus": nn.softplus, "softsign": nn.softsign, "silu": nn.silu, "gelu": functools.partial(nn.gelu, approximate=False),
        "gelu_tanh": functools.partial(nn.gelu, approximate=True), "exponential": library.exp, "arctan": library.atan,
    }  # fmt: skip
    backward = {
        "relu": lambda g, x, y: raw.ReluGrad(gradients=g, features=x),
        "leaky_relu": lambda g, x, y: raw.LeakyReluGrad(gradients=g, features=x, alpha=0.01),
        "elu": lambda g, x, y: raw.EluGrad(gradients=g, outputs=y),
        "selu": lambda g, x, y: raw.SeluGrad(gradients=g, outputs=y),
        "sigmoid": lambda g, x, y: raw.SigmoidGrad(y=y, dy=g),
        "tanh": lambda g, x, y: raw.TanhGrad(y=y, dy=g),
        "softplus": lambda g, x, y: raw.SoftplusGrad(gradients=g, features=x),
        "softsign": lambda g, x, y: raw.SoftsignGrad(gradients=g, features=x),
    }
    for suffix, axis in AXES.items():
        forward[f"softmax{suffix}"] = functools.partial(nn.softmax, axis=axis)
        forward[f"log_softmax{suffix}"] = functools.partial(nn.log_softmax, axis=axis)
    return Peer(f"TensorFlow {library.__version__}", forward, backward, library.convert_to_tensor, lambda y: y.numpy())


#: Functions that make the peers, in the order of the tables.
PEERS: dict[str, Callable[[], Peer]] = {
    "numpy": numpy, "torch": torch, "jax": jax, "onnxruntime": onnxruntime, "numexpr": numexpr, "thinc": thinc,
    "openvino": openvino, "tensorflow": tensorflow,
}  # fmt: skip


def choose(names: str) -> list[str]:
    """The names of libraries in ``--peers``.

    Raises
    ------
    CommandError
        For one that is not among the known.
    """
    wanted = [name for name in names.split(",") if name]
    for name in wanted:
        if name not in PEERS:
            raise CommandError(f"--peers: there is no {name!r}; known: {', '.join(PEERS)}")
    return wanted


def load(names: list[str]) -> tuple[dict[str, Peer], dict[str, str]]:
    """Return the peers that are installed, and why the others are not there."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = PEERS[name]()
        except ImportError as error:
            missing[name] = str(error)
    return found, missing


def fastact() -> Peer:
    """Return this package as a peer of the others, with what bounds its speed beside."""
    names = [*fa.activations(), "softmax", "log_softmax"]

    def backward(name: str) -> Callable[..., Any]:
        function = getattr(fa, name)
        if getattr(function, "backward_from_output", None):
            return lambda g, x, y: function.backward_from_output(g, y)
        if not hasattr(function, "derivative"):
            return lambda g, x, y: function.backward(g, y)
        return lambda g, x, y: function.backward(g, x)

    forward = {n: getattr(fa, n) for n in [*names, "swiglu"]}
    backwards = {n: backward(n) for n in names}
    for name in ("softmax", "log_softmax"):
        function = getattr(fa, name)
        forward[f"{name}@0"] = functools.partial(function, axis=0)
        backwards[f"{name}@0"] = lambda g, x, y, function=function: function.backward(g, y, 0)
    return Peer(f"fastact {fa.__version__}", forward, backwards)


def shape_of(function: str, size: int | str) -> tuple[int, ...]:
    """The shape of the arrays: "ROWSxCOLUMNS", or so many elements, in rows of 1000 for a function of rows."""
    if isinstance(size, str):
        return tuple(map(int, size.split("x")))
    return (size // ROW, ROW) if "softmax" in function else (size,)
