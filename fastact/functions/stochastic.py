"""Randomised functions: rrelu, noisy_relu and gumbel_softmax.

Random numbers come from one `numpy.random.Generator` in the order of the elements, so that a seed gives the same result
for any number of threads.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..arguments import dtype_of, dtype_of_both, is_number, narrowed, one_axis, temperature_of, work_dtype
from .base import QUIET, REQUIRED, Function, real_array
from .containers import Masked, bare, contained, elementwise, elsewhere, mask_of, masked
from .elementwise import ACTIVATIONS
from .registry import register
from .rowwise import ROWWISE


def generator(title: str, rng: Any) -> np.random.Generator:
    """The generator, made from a seed if need be."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or (isinstance(rng, int | np.integer) and not isinstance(rng, bool) and rng >= 0):
        return np.random.default_rng(rng)
    raise TypeError(f"{title}: rng is {rng!r}; expected a numpy.random.Generator, a seed or None")


def _work(dtype: np.dtype[Any]) -> Any:
    return work_dtype(dtype).type


def _number(title: str, name: str, value: Any) -> float:
    if not is_number(value) or not np.isfinite(value):
        raise TypeError(f"{title}: {name} is {value!r}; expected a finite number")
    return float(value)


class RRelu(Function):
    """Randomised leaky rectifier, called like ``fastact.rrelu(x, training=True)``; not made by users."""

    family = "stochastic"
    parameters = """\
x : array_like
    Input: float16, bfloat16, float32, float64; integers and bools as for `numpy.exp`.
lower, upper : float, default 1/8 and 1/3
    The slopes are uniform between them.
training : bool, default False
    Draw a slope for each element.
rng : numpy.random.Generator, int or None
    Where the slopes come from, or a seed.
return_slopes : bool, default False
    Return the slopes too, as `backward` wants them.
"""
    returns = """\
numpy.ndarray, or two of them
    Of the shape of x; the slopes are float32 or float64, the mean slope without training.
"""
    raises = """\
TypeError, ValueError
    For input that is not real, bounds that are no numbers or not ordered, an unsuitable `rng`.
"""
    example = """\
>>> import numpy as np
>>> import fastact as fa
>>> y, slopes = fa.rrelu(np.array([-1.0, 2.0]), training=True, rng=0, return_slopes=True)
>>> bool(y[0] == -slopes[0]), float(y[1])
(True, 2.0)
"""

    @QUIET
    def __call__(
        self, x: Any = REQUIRED, lower: Any = 1 / 8, upper: Any = 1 / 3, *, training: bool = False, rng: Any = None,
        return_slopes: bool = False, **_unknown: Any
    ) -> Any:  # fmt: skip
        self._check("__call__", _unknown, x=x)
        if contained(x):
            call = partial(self, lower=lower, upper=upper, training=training, rng=rng, return_slopes=return_slopes)
            return elementwise(self._title(), call, [x])
        title = self._title()
        given = real_array(title, "x", x)
        low, high = self._bounds(title, lower, upper)
        source = generator(title, rng)
        work = _work(dtype_of(given))
        slopes: Any = work((low + high) / 2)
        if training:
            slopes = source.random(given.shape, dtype=work)
            slopes *= work(high - low)
            slopes += work(low)
        y = self._prelu(given, slopes)
        return (y, slopes) if return_slopes else y

    def _bounds(self, title: str, lower: Any, upper: Any) -> tuple[float, float]:
        low, high = _number(title, "lower", lower), _number(title, "upper", upper)
        if low > high:
            raise ValueError(f"{title}: lower is {low!r} and upper {high!r}; expected lower <= upper")
        return low, high

    def _prelu(self, x: np.ndarray, slopes: Any) -> Any:
        return ACTIVATIONS["prelu"](x.astype(_work(dtype_of(x)), copy=False), slopes).astype(dtype_of(x), copy=False)

    @QUIET
    def backward(
        self, grad: Any = REQUIRED, x: Any = REQUIRED, slopes: Any = (1 / 8 + 1 / 3) / 2, **_unknown: Any
    ) -> Any:
        """Gradient by x.

        Parameters
        ----------
        grad : array_like
            Gradient by the output.
        x : array_like
            Input of the forward pass.
        slopes : array_like, default the mean slope
            What ``return_slopes=True`` gave.

        Returns
        -------
        numpy.ndarray
            grad where x > 0, else grad times the slope.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> y, slopes = fa.rrelu(np.array([-1.0, 2.0]), training=True, rng=0, return_slopes=True)
        >>> bool(fa.rrelu.backward(np.ones(2), np.array([-1.0, 2.0]), slopes)[0] == slopes[0])
        True
        """
        self._check("backward", _unknown, grad=grad, x=x)
        if contained(grad, x, slopes):
            return elementwise(self._title("backward"), self.backward, [grad, x, slopes])
        title = self._title("backward")
        given, incoming = real_array(title, "x", x), real_array(title, "grad", grad)
        dtype = dtype_of_both(x, grad, given, incoming)
        work = _work(dtype)
        slopes = real_array(title, "slopes", slopes).astype(work, copy=False)
        return ACTIVATIONS["prelu"].backward(incoming.astype(work), given.astype(work), slopes).astype(dtype, copy=False)

    @QUIET
    def parameter_gradients(
        self, grad: Any = REQUIRED, x: Any = REQUIRED, slopes: Any = REQUIRED, lower: Any = 1 / 8, upper: Any = 1 / 3,
        **_unknown: Any
    ) -> dict[str, Any]:
        """Gradients by lower and upper: the slope is lower + (upper - lower) u with a u that is given.

        Parameters
        ----------
        grad, x, slopes
            As in `backward`.
        lower, upper : float
            As in the forward pass.

        Returns
        -------
        dict of str to numpy.floating
            Summed in float64, without losing digits.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> x, slopes = np.array([-1.0, 2.0]), np.array([0.25, 0.25])
        >>> grads = fa.rrelu.parameter_gradients(np.ones(2), x, slopes, lower=0.0, upper=0.5)
        >>> float(grads["lower"]), float(grads["upper"])
        (-0.5, -0.5)
        """
        self._check("parameter_gradients", _unknown, grad=grad, x=x, slopes=slopes)
        if isinstance(grad, Masked) or isinstance(x, Masked):
            there = ~np.broadcast_to(mask_of(grad, x), np.broadcast_shapes(np.shape(grad), np.shape(x)))
            return self.parameter_gradients(np.where(there, np.asarray(grad), 0.0), np.asarray(x), slopes, lower, upper)
        title = self._title("parameter_gradients")
        low, high = self._bounds(title, lower, upper)
        a = real_array(title, "slopes", slopes).astype(np.float64)
        share = (a - low) / (high - low) if high > low else np.full(a.shape, 0.5)
        given, incoming = real_array(title, "x", x), real_array(title, "grad", grad)
        dtype = dtype_of_both(x, grad, given, incoming)
        each = np.where(given > 0, 0.0, np.multiply(incoming, given, dtype=np.float64))
        sums = {"lower": np.sum(each * (1 - share)), "upper": np.sum(each * share)}
        return {name: narrowed(np.asarray(v), dtype)[()] for name, v in sums.items()}


class NoisyRelu(Function):
    """Noisy rectifier, called like ``fastact.noisy_relu(x)``; not made by users."""

    family = "stochastic"
    parameters = """\
x : array_like
    Input: float16, bfloat16, float32, float64; integers and bools as for `numpy.exp`.
rng : numpy.random.Generator, int or None
    Where the noise comes from, or a seed.
training : bool, default True
    Add noise.
return_noise : bool, default False
    Return the standard normal numbers too, as `backward` wants them; zeros without training.
"""
    returns = """\
numpy.ndarray, or two of them
    Of the shape of x.
"""
    raises = """\
TypeError
    For input that is not real, an unsuitable `rng`.
"""
    example = """\
>>> import numpy as np
>>> import fastact as fa
>>> fa.noisy_relu(np.array([-1.0, 2.0]), training=False).tolist()
[0.0, 2.0]
"""

    @QUIET
    def __call__(
        self, x: Any = REQUIRED, rng: Any = None, *, training: bool = True, return_noise: bool = False, **_unknown: Any
    ) -> Any:
        self._check("__call__", _unknown, x=x)
        if contained(x):
            call = partial(self, rng=rng, training=training, return_noise=return_noise)
            return elementwise(self._title(), call, [x])
        title = self._title()
        given = real_array(title, "x", x)
        dtype = dtype_of(given)
        work = _work(dtype)
        source = generator(title, rng)
        noise = source.standard_normal(given.shape, dtype=work) if training else np.zeros(given.shape, work)
        y = ACTIVATIONS["relu"](self._argument(given.astype(work, copy=False), noise)).astype(dtype, copy=False)
        return (y, noise) if return_noise else y

    def _argument(self, x: Any, noise: Any) -> Any:
        z = np.sqrt(ACTIVATIONS["sigmoid"](x))
        z = z * noise
        return z + x

    @QUIET
    def backward(self, grad: Any = REQUIRED, x: Any = REQUIRED, noise: Any = REQUIRED, **_unknown: Any) -> Any:
        """Gradient by x, for the noise that was drawn.

        Parameters
        ----------
        grad : array_like
            Gradient by the output.
        x : array_like
            Input of the forward pass.
        noise : array_like
            What ``return_noise=True`` gave.

        Returns
        -------
        numpy.ndarray
            Of the broadcast shape.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> x = np.array([-5.0, 0.0, 5.0])
        >>> y, noise = fa.noisy_relu(x, rng=0, return_noise=True)
        >>> fa.noisy_relu.backward(np.ones(3), x, noise).shape
        (3,)
        """
        self._check("backward", _unknown, grad=grad, x=x, noise=noise)
        if contained(grad, x, noise):
            return elementwise(self._title("backward"), self.backward, [grad, x, noise])
        title = self._title("backward")
        given, incoming, n = real_array(title, "x", x), real_array(title, "grad", grad), real_array(title, "noise", noise)
        dtype = dtype_of_both(x, grad, given, incoming)
        work = _work(dtype)
        given, n = given.astype(work, copy=False), n.astype(work, copy=False)
        slope = 1 + 0.5 * n * np.sqrt(ACTIVATIONS["sigmoid"](given)) * ACTIVATIONS["sigmoid"](-given)
        z = self._argument(given, n)
        return (incoming * np.where(z > 0, slope, np.where(np.isnan(z), z, work(0)))).astype(dtype, copy=False)


class GumbelSoftmax(Function):
    """Gumbel softmax, called like ``fastact.gumbel_softmax(x)``; not made by users."""

    family = "stochastic"
    parameters = """\
x : array_like
    Logits: float16, bfloat16, float32, float64; integers and bools as for `numpy.exp`.
tau : float, default 1.0
    Temperature, between 1e-30 and 1e30.
hard : bool, default False
    Return a one-hot sample; its gradient is taken as that of the soft one.
axis : int, default -1
    The axis of the categories.
rng : numpy.random.Generator, int or None
    Where the noise comes from, or a seed.
return_soft : bool, default False
    Return the soft sample too, as `backward` wants it.
"""
    returns = """\
numpy.ndarray, or two of them
    Of the shape of x.
"""
    raises = """\
TypeError, ValueError
    For input that is not real, an axis that x does not have, a tau out of its range, an unsuitable `rng`.
"""
    example = """\
>>> import numpy as np
>>> import fastact as fa
>>> float(fa.gumbel_softmax(np.zeros((2, 5)), hard=True, rng=0).sum())
2.0
"""

    @QUIET
    def __call__(
        self, x: Any = REQUIRED, tau: Any = 1.0, hard: bool = False, axis: Any = -1, *, rng: Any = None,
        return_soft: bool = False, **_unknown: Any
    ) -> Any:
        self._check("__call__", _unknown, x=x)
        if contained(x):
            call = partial(self, tau=tau, hard=hard, axis=axis, rng=rng, return_soft=return_soft)
            if not isinstance(x, Masked):
                return elsewhere(self._title(), call, [x])
            return masked(call(bare(self._title(), "x", x, -np.inf)), mask_of(x))
        title = self._title()
        given = real_array(title, "x", x)
        number = one_axis(title, axis, given.ndim)
        scale = temperature_of(title, tau, "tau")
        source = generator(title, rng)
        dtype = dtype_of(given)
        work = _work(dtype)
        noisy = source.standard_exponential(given.shape, dtype=work)
        np.maximum(noisy, np.finfo(work).tiny, out=noisy)  # an exact 0 would win for certain
        np.log(noisy, out=noisy)
        np.subtract(given, noisy, out=noisy, casting="same_kind")
        soft = ROWWISE["softmax"](noisy, number, temperature=scale)
        y = (ROWWISE["hardmax"](noisy, number) if hard else soft).astype(dtype, copy=False)
        return (y, soft.astype(dtype, copy=False)) if return_soft else y

    @QUIET
    def backward(
        self, grad: Any = REQUIRED, soft: Any = REQUIRED, tau: Any = 1.0, axis: Any = -1, **_unknown: Any
    ) -> np.ndarray:
        """Gradient by x, from the soft sample, for the noise that was drawn.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, hard or soft.
        soft : array_like
            The soft sample.
        tau, axis
            As in the forward pass.

        Returns
        -------
        numpy.ndarray
            Of the shape of x.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> y, soft = fa.gumbel_softmax(np.zeros(3), hard=True, rng=0, return_soft=True)
        >>> grad = fa.gumbel_softmax.backward(np.array([1.0, 0.0, 0.0]), soft)
        >>> bool(abs(grad.sum()) < 1e-15)
        True
        """
        self._check("backward", _unknown, grad=grad, soft=soft)
        scale = temperature_of(self._title("backward"), tau, "tau")
        return ROWWISE["softmax"].backward(grad, soft, axis, temperature=scale)


FUNCTIONS: list[Function] = [
    RRelu(
        "rrelu",
        summary="Randomised leaky rectifier: x for x > 0, else a x with a random slope a in training, the mean slope otherwise.",
        latex=r"f(x) = x \text{ if } x > 0 \text{ else } a x, \quad a \sim U(l, u)",
        notes="The derivative at 0 is the slope.",
        reference="Xu et al. 2015, Empirical evaluation of rectified activations in convolutional network, arXiv:1505.00853.",
    ),
    NoisyRelu(
        "noisy_relu",
        summary="Noisy rectifier: max(0, x + Y) with normal noise Y of variance sigmoid(x) in training, max(0, x) otherwise.",
        latex=r"f(x) = \max(0, x + \sqrt{\sigma(x)}\, n), \quad n \sim N(0, 1)",
        notes=r"`backward` is the derivative for the noise n that was drawn, "
        r":math:`1 + n \sqrt{\sigma(x)} (1 - \sigma(x)) / 2` where the output is positive, else 0.",
        reference="Nair and Hinton 2010, Rectified linear units improve restricted Boltzmann machines.",
    ),
    GumbelSoftmax(
        "gumbel_softmax", summary="Gumbel softmax: a differentiable sample of a categorical distribution with logits x.",
        latex=r"f(x) = \operatorname{softmax}((x + g) / \tau), \quad g = -\log E, \quad E \sim \operatorname{Exp}(1)",
        reference="Jang, Gu and Poole 2017, Categorical reparameterization with Gumbel-softmax, arXiv:1611.01144.",
    ),
]  # fmt: skip

register(FUNCTIONS)
