"""Types of the public names; written by tools/generate.py, do not edit."""

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from . import cuda as cuda
from . import numba as numba

__version__: str

class KindCall(Protocol):
    ufunc: np.ufunc
    def __call__(self, x: ArrayLike, /, *args: Any, **kwargs: Any) -> Any: ...

class Activation:
    __name__: str
    ufunc: np.ufunc
    derivative: KindCall
    value_and_derivative: KindCall
    backward: KindCall
    backward_from_output: KindCall | None
    aliases: tuple[str, ...]
    params: dict[str, float]
    latex: str
    range: tuple[str, str]
    limits: tuple[str, str]
    slopes: tuple[str, str]
    kinks: tuple[Any, ...]
    monotonic: bool
    zero_centred: bool
    saturates: tuple[str, str]
    smoothness: str
    reference: str
    family: str
    def __call__(self, x: ArrayLike, /, *args: Any, **kwargs: Any) -> Any: ...
    def parameter_gradients(self, grad: ArrayLike, x: ArrayLike, *params: ArrayLike, **named: ArrayLike) -> dict[str, Any]: ...

class device:
    def __init__(self, name: str) -> None: ...
    def __enter__(self) -> device: ...
    def __exit__(self, *_: object) -> None: ...

def activations() -> list[str]: ...
class RowFunction:
    __name__: str
    aliases: tuple[str, ...]
    latex: str
    summary: str
    notes: str
    range: tuple[str, str]
    reference: str
    family: str
    def __call__(self, x: ArrayLike, /, axis: int | tuple[int, ...] = ..., **kwargs: Any) -> Any: ...
    def backward(self, grad: ArrayLike, y: ArrayLike, axis: int | tuple[int, ...] = ..., **kwargs: Any) -> Any: ...

class GatedUnit:
    __name__: str
    aliases: tuple[str, ...]
    latex: str
    summary: str
    notes: str
    reference: str
    family: str
    activation: str
    gate: str
    def __call__(self, a: ArrayLike, b: ArrayLike | None = ..., /, *, axis: int | None = ..., out: Any = ...) -> Any: ...
    def backward(self, grad: ArrayLike, a: ArrayLike, b: ArrayLike | None = ..., /, *, axis: int | None = ...) -> Any: ...

class Function:
    __name__: str
    aliases: tuple[str, ...]
    latex: str
    summary: str
    reference: str
    family: str
    def __call__(self, x: ArrayLike, *args: Any, **kwargs: Any) -> Any: ...
    def backward(self, grad: ArrayLike, *args: Any, **kwargs: Any) -> Any: ...
    def parameter_gradients(self, grad: ArrayLike, *args: Any, **kwargs: Any) -> dict[str, Any]: ...

def get(name: str) -> Any: ...
def clear_cache() -> None: ...
def get_num_threads() -> int: ...
def last_target() -> str: ...
class num_threads:
    def __init__(self, n: int) -> None: ...
    def __enter__(self) -> num_threads: ...
    def __exit__(self, *_: Any) -> None: ...

def set_cache_limit(limit: int) -> None: ...
def set_num_threads(n: int) -> None: ...
def set_threading_layer(layer: Literal["pool", "openmp"]) -> None: ...
def show_config() -> None: ...

arctan: Activation
atan: Activation
bent_identity: Activation
celu: Activation
dish: Activation
elish: Activation
elu: Activation
exponential: Activation
exp: Activation
gaussian: Activation
rbf: Activation
gaussian_activation: Activation
gelu: Activation
gelu_python: Activation
gelu_tanh: Activation
gelu_new: Activation
gelu_pytorch_tanh: Activation
gelu_fast: Activation
hard_elish: Activation
hard_shrink: Activation
hard_threshold: Activation
hard_sigmoid: Activation
hard_swish: Activation
hardswish: Activation
hard_silu: Activation
hard_tanh: Activation
identity: Activation
linear: Activation
isrlu: Activation
isru: Activation
laplace: Activation
leaky_relu: Activation
lrelu: Activation
lisht: Activation
log1mexp: Activation
log_sigmoid: Activation
logsigmoid: Activation
mish: Activation
pelu: Activation
parametric_elu: Activation
phish: Activation
prelu: Activation
parametric_relu: Activation
quick_gelu: Activation
reflu: Activation
reflected_linear_unit: Activation
relu: Activation
rectifier: Activation
ramp: Activation
relu6: Activation
scaled_tanh: Activation
lecun_tanh: Activation
selu: Activation
serf: Activation
shrink: Activation
sigmoid: Activation
logistic: Activation
expit: Activation
sign: Activation
signum: Activation
silu: Activation
swish: Activation
sil: Activation
smelu: Activation
snake: Activation
soft_shrink: Activation
soft_threshold: Activation
softcap: Activation
soft_cap: Activation
logit_softcap: Activation
softplus: Activation
softsign: Activation
elliot: Activation
sparse_plus: Activation
sparse_sigmoid: Activation
squared_relu: Activation
relu2: Activation
relu_squared: Activation
squareplus: Activation
srelu: Activation
s_shaped_relu: Activation
star_relu: Activation
step: Activation
heaviside: Activation
binary_step: Activation
perceptron: Activation
tanh: Activation
tanh_shrink: Activation
tanhshrink: Activation
telu: Activation
threshold: Activation
thresholded_relu: Activation
trec: Activation
xielu: Activation
softmax: RowFunction
log_softmax: RowFunction
logsoftmax: RowFunction
softmin: RowFunction
log_softmin: RowFunction
logsoftmin: RowFunction
logsumexp: RowFunction
log_sum_exp: RowFunction
hardmax: RowFunction
sparsemax: RowFunction
entmax15: RowFunction
entmax: RowFunction
glu: GatedUnit
bilinear: GatedUnit
reglu: GatedUnit
geglu: GatedUnit
swiglu: GatedUnit
seglu: GatedUnit
maxout: Function
max_affine: Function
crelu: Function
rrelu: Function
noisy_relu: Function
gumbel_softmax: Function
