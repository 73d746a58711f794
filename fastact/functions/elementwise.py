"""The elementwise activations: callables with their derivative, gradients and metadata.

Plain arrays take the fast path of ``cpu/call.pyx``, whatever else NumPy accepts that of `general`.
"""

from __future__ import annotations

import inspect
import math
import numbers
from typing import Any

from .. import activations as _formulas  # noqa: F401  (fills the registry)
from .. import ufuncs
from .._kernels import Kernel
from ..cpu import levels
from ..cpu.api import FLOAT64, address_of, scalar_capsule
from ..cpu.call import Call
from ..cpu.direct import enable
from ..language.kinds import ARRAYS, kinds, outputs
from ..language.registry import REGISTRY, Spec
from .base import Documentation, Function
from .bias import general
from .docstrings import of_kind, sample
from .facts import Info, info
from .general import BIAS, bias_keywords, bind
from .gradients import parameter_gradients
from .plots import plot
from .registry import get, register
from .second import backward_backward

#: What the printer calls a kind where that differs.
_PRINTED = {"value_and_derivative": "both"}


class _Kind(Call):
    """A kind of an activation with what `help`, `repr` and `inspect` want; made when it is asked for."""

    def __init__(self, spec: Spec, kernel: Kernel) -> None:
        least = spec.output_needs if kernel.kind == "backward_from_output" else {}
        super().__init__(
            kernel, tuple(spec.params), tuple(spec.params.values()), general, tuple(least.get(p, -math.inf) for p in spec.params)
        )
        self.spec = spec
        self.kind = kernel.kind
        self.arrays = ARRAYS[kernel.kind]

    @property
    def title(self) -> str:
        """What messages call it."""
        raise NotImplementedError

    @property
    def _numba_type_(self) -> Any:
        from ..numba.objects import call_type

        return call_type(self.spec.name, self.kind)

    def __wrapper_address__(self) -> int:
        """Called by Numba for an argument that is declared as a FunctionType, without saying which one."""
        name = self.spec.name if self.kind == "value" else f"{self.spec.name}_{self.kind}"
        raise TypeError(f"{self.title} has no one address for a declared FunctionType of Numba; pass fastact.numba.{name}")

    def low_level(self, *params: float, **named: float) -> Any:
        """Return a `scipy.LowLevelCallable` of the function, in float64, for `scipy.integrate.quad` and its like.

        Parameters
        ----------
        *params, **named : float
            The parameters; defaults where left out.

        Returns
        -------
        scipy.LowLevelCallable
            Of signature ``double (double, void *)``; without Python objects, so that SciPy calls it without the GIL.

        Raises
        ------
        TypeError
            For kinds other than the function and its derivative, and for parameters that are no numbers.
        ImportError
            Without SciPy.

        Examples
        --------
        >>> import fastact as fa
        >>> from scipy.integrate import quad
        >>> round(quad(fa.gelu.derivative.low_level(), 0.0, 1.0)[0], 12)  # gelu(1) - gelu(0)
        0.841344746069
        """
        title = f"{self.title}.low_level"
        if self.kind not in ("value", "derivative"):
            raise TypeError(f"{title}: {self.kind} is no function of one number; value and derivative are")
        values = bind(self, params, named)
        for name, value in zip(self.spec.params, values, strict=True):
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise TypeError(f"{title}: {name} is {value!r}; expected a number")
        try:
            from scipy import LowLevelCallable
        except ImportError:
            raise ImportError(f"{title}: needs SciPy; pip install scipy") from None
        return LowLevelCallable(scalar_capsule(address_of(self.spec.name, self.kind, FLOAT64), values))

    def __getattr__(self, name: str) -> Any:
        if name != "__signature__":
            raise AttributeError(f"{self.title} has no attribute {name!r}")
        return signature(self.spec, self.arrays)


def kernel_of(spec: Spec, kind: str, tables: tuple[Any, Any]) -> Kernel:
    """The kernel of a kind with its ufunc."""
    return Kernel(
        spec.name if kind == "value" else f"{spec.name}_{kind}", f"{spec.name}: {spec.summary}", kind, tables,
        (spec.name, _PRINTED.get(kind, kind)), len(spec.params), outputs(kind), kind.startswith("backward"),
    )  # fmt: skip


class Activation(Function, _Kind):
    """An activation function, called like a NumPy ufunc.

    Not made by users: ``fastact.gelu`` is one, `fastact.get` finds one by name.

    Attributes
    ----------
    derivative : callable
        ``derivative(x, *parameters)``: the derivative by x.
    value_and_derivative : callable
        Both in one pass over memory.
    backward : callable
        ``backward(grad, x, *parameters)``: ``grad * derivative(x)``, fused.
    backward_from_output : callable or None
        ``backward_from_output(grad, y, *parameters)``, where the derivative is a function of the output.
    second_derivative : callable or None
        ``second_derivative(x, *parameters)``: the second derivative by x.
    ufunc : numpy.ufunc
        The ufunc underneath; derivative and the others have theirs.
    aliases, params, latex, range, limits, slopes, kinks, monotonic, zero_centred, saturates, smoothness, reference
        What is known of the function; see `fastact.language.registry.Spec`.
    """

    word = "activation"
    _numba_type_ = _Kind._numba_type_

    def __init__(self, spec: Spec, tables: tuple[dict[Any, Any], dict[Any, Any]]) -> None:
        Function.__init__(
            self, spec.name, summary=spec.summary, latex=spec.latex, reference=spec.reference, notes=spec.notes,
            range=spec.range, aliases=spec.alias,
        )  # fmt: skip
        self.tables = tables
        kernels = {kind: kernel_of(spec, kind, tables) for kind in kinds(spec)}
        _Kind.__init__(self, spec, kernels["value"])
        self.backward_from_output: KindCall | None = None
        self.second_derivative: KindCall | None = None
        for kind, kernel in kernels.items():
            for made in (kernel.ufunc, kernel.mixed_ufunc):
                if made is not None:
                    setattr(ufuncs, made.__name__, made)
            if kind != "value":
                setattr(self, kind, KindCall(self, kernel))
        self._describe()

    def _describe(self) -> None:
        """Take over what is known of the function."""
        spec = self.spec
        self.params = dict(spec.params)
        self.call = "".join(["(x", *(f", {n}={d!r}" for n, d in spec.params.items()), ")"])
        for name in ("limits", "slopes", "kinks", "monotonic", "zero_centred", "saturates", "smoothness", "family"):
            setattr(self, name, getattr(spec, name))

    @property
    def title(self) -> str:
        return self._title()

    def _docstring(self) -> str:
        return self._docstring_of(self)

    def _docstring_of(self, call: _Kind) -> str:
        """The docstring of a kind, or of itself, with an example."""
        params = self.params.values()
        found = call.ufunc(*sample(call.kind, lambda x: self.ufunc(x, *params)), *params)
        return of_kind(self.spec, call.kind, found if isinstance(found, tuple) else (found,), bias_keywords(call))

    def parameter_gradients(self, grad: Any, x: Any, *params: Any, **named: Any) -> dict[str, Any]:
        """Return the gradient by each parameter, summed to that parameter's shape.

        Parameters
        ----------
        grad : array_like
            Gradient by the output, broadcast against x.
        x : array_like
            Input of the forward pass.
        *params, **named : array_like
            The parameters as in the call; defaults where left out.

        Returns
        -------
        dict of str to numpy.ndarray
            ``sum(grad * d f / d parameter)`` over the axes along which the parameter was broadcast. Sums
            are carried in float64, pairwise, and block totals exactly.

        Raises
        ------
        TypeError
            If the activation has no parameters, or for arguments that are not real numbers.
        ValueError
            If shapes do not broadcast.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> grads = fa.prelu.parameter_gradients(np.ones((2, 3)), np.full((2, 3), -1.5), np.array([0.1, 0.2, 0.3]))
        >>> grads["weight"]
        array([-3., -3., -3.])
        """
        return parameter_gradients(self, grad, x, bind(self, params, named))

    def backward_backward(
        self, grad_grad: Any, grad: Any, x: Any, *params: Any, out: Any = None, device: Any = None, **named: Any
    ) -> tuple[Any, Any]:
        """Return the gradients of ``backward(grad, x)``, which is ``grad * f'(x)``: double backward.

        Parameters
        ----------
        grad_grad : array_like
            Gradient by the result of ``backward``, broadcast against the other arrays.
        grad, x : array_like
            What ``backward`` was called with.
        *params, **named : array_like
            The parameters as in the call; defaults where left out.
        out : tuple of two numpy.ndarray or None, optional
            Where the results go; they may be arguments.
        device : {"cpu", "cuda"}, optional
            Where NumPy arrays are computed; see docs/cuda.md.

        Returns
        -------
        by_grad, by_x : numpy.ndarray
            ``grad_grad * f'(x)`` and ``grad_grad * grad * f''(x)``, both of the shape that all arguments broadcast to. The
            latter is multiplied in the order in which no product overflows or underflows unless the result does.

        Raises
        ------
        TypeError
            For arguments that are not real numbers, containers that are no arrays, an unsuitable `out`.
        ValueError
            If shapes do not broadcast, or `out` has another one.

        Examples
        --------
        The product of the Hessian of ``f(w) = sum(gelu(x * w))`` with a vector v:

        >>> import numpy as np
        >>> import fastact as fa
        >>> x, w, v = np.array([1.0, 2.0, 3.0]), np.array([0.5, -0.25, 0.1]), np.array([1.0, 0.0, -1.0])
        >>> by_grad, by_z = fa.gelu.backward_backward(x * v, np.ones(3), x * w)
        >>> by_z * x
        array([ 0.61611432,  0.        , -6.55605655])
        """
        return backward_backward(self, (grad_grad, grad, x), params, named, out, device)

    @property
    def info(self) -> Info:
        """What is known of the function, as data: range, limits, saturation, kinks, extrema and more, see `fastact.Info`.

        Examples
        --------
        >>> import fastact as fa
        >>> fa.silu.info.extrema
        (Extremum(kind='minimum', x=-1.278464542761074, value=-0.2784645427610738),)
        """
        return info(self)

    def plot(self, **how: Any) -> Any:
        """Draw the function and its derivative, as `fastact.plot` does, which see.

        Parameters
        ----------
        **how
            ``derivative``, ``ax``, ``xlim``, ``marks``, and parameters of the function; a sequence of numbers for one of
            these draws a curve for each.

        Returns
        -------
        matplotlib.axes.Axes or numpy.ndarray of two of them
            What was drawn in.

        Examples
        --------
        >>> import fastact as fa
        >>> from matplotlib.figure import Figure
        >>> fa.elu.plot(ax=Figure().subplots(), alpha=0.5).get_title(loc="left")
        'elu, alpha = 0.5'
        """
        return plot(self, **how)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return get, (self.__name__,)


@enable
class KindCall(_Kind):
    __doc__ = Documentation("The derivative, backward or value_and_derivative of an activation, called like a ufunc.")

    def __init__(self, owner: Activation, kernel: Kernel) -> None:
        super().__init__(owner.spec, kernel)
        self.owner = owner
        self.__module__ = "fastact"
        self.__name__ = kernel.kind
        self.__qualname__ = f"{owner.__name__}.{kernel.kind}"

    @property
    def title(self) -> str:
        return self.owner._title(self.__name__)

    def __reduce__(self) -> tuple[Any, tuple[Any, str]]:
        return getattr, (self.owner, self.__name__)

    def __repr__(self) -> str:
        return f"<{self.__name__} of activation {self.owner._title()}>"

    def _docstring(self) -> str:
        return self.owner._docstring_of(self)


def signature(spec: Spec, arrays: tuple[str, ...]) -> inspect.Signature:
    """The signature of a kind: arrays, parameters, and the keywords of a ufunc."""
    keywords = [("out", None), ("where", True), ("casting", "same_kind"), ("order", "K"), ("dtype", None), ("subok", True)]
    of = inspect.Parameter
    keywords += [("device", None), *((k, next(iter(choices))) for k, choices in spec.variants.items())]
    found = [of(a, of.POSITIONAL_OR_KEYWORD) for a in arrays]
    found += [of(n, of.POSITIONAL_OR_KEYWORD, default=d) for n, d in spec.params.items()]
    keywords += [] if "bias" in spec.params else BIAS.get(arrays, {}).items()
    found += [of(n, of.KEYWORD_ONLY, default=d) for n, d in keywords]
    return inspect.Signature(found)


#: Every activation by every one of its names.
ACTIVATIONS: dict[str, Activation] = register([Activation(spec, levels.tables()) for spec in REGISTRY.values()])
