"""One layer's pre-activations: dead units, saturation, moments of f(z), the power of f'(z)."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from ..arguments import axes_of, broadcast_shape
from ..functions import Activation
from .given import SATURATION, activation_of, fraction_of, plain
from .moments import COUNTS, Moments, edges
from .words import table

#: As many elements are kept for pictures.
SAMPLE = 20_000


class Diagnosis:
    """What `diagnose` and `Monitor` find; printed, it is a table and what follows from it, in words.

    Not made by users. Arrays have the shape of the units, that of z without the axes of the batch. Shares and moments are those
    of the elements of which z, f(z) and f'(z) are finite; they are NaN where there are none.

    Attributes
    ----------
    function : Activation
        The function.
    params : dict of str to float or ndarray
        Its parameters.
    saturation : float
        What |f'(z)| is compared with.
    edges : tuple of float or ndarray
        The function is saturated up to the first number and from the second on; -inf and inf where it is not.
    batch : int
        Elements of each unit.
    units : int
        How many units there are.
    dead : ndarray of bool
        Units that were never active: |f'(z)| is at most `saturation` for every finite element of the batch. No gradient, or
        next to none, reaches their weights.
    inactive : ndarray
        Share of elements with |f'(z)| at most `saturation`: saturated on either side, or between (about an extremum, or in
        the gap of a shrinkage).
    left, right : ndarray
        Share of elements in the saturated region on the left and on the right of the function.
    mean, variance : ndarray
        Of f(z).
    power : ndarray
        Mean of f'(z)^2: the factor by which a gradient's power shrinks on its way through the function.
    nan, inf, overflow : ndarray of int
        Elements of z that are NaN or infinite, and those for which f(z) or f'(z) is not finite although z is.
    overall : dict of str to float
        The same over all units: shares, moments, counts, and "dead", the share of dead units.
    sample : tuple of ndarray
        z, f(z) and f'(z) of at most 20,000 elements drawn at random, for `plot`.
    """

    def __init__(self, monitor: Monitor) -> None:
        found = monitor._moments
        assert found is not None
        kept = tuple(n for a, n in enumerate(monitor._shape) if a not in monitor._axes)
        self.function, self.saturation, self.batch = monitor.function, monitor.saturation, found.elements
        self.params = {n: p if p.ndim else p.item() for n, p in zip(self.function.params, monitor._params, strict=True)}
        self.edges = tuple(e if e.ndim else float(e) for e in monitor._edges)
        self.units = math.prod(kept)
        count = found.count.reshape(kept)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.inactive, self.left, self.right = (np.asarray(found.counts[n].reshape(kept) / count) for n in COUNTS[:3])
            self.mean, self.variance, self.power = (
                np.where(count > 0, a.reshape(kept), np.nan) for a in (found.mean, found.m2 / found.count, found.power)
            )
        self.nan, self.inf, self.overflow = (found.counts[n].reshape(kept) for n in COUNTS[3:])
        self.dead = np.asarray((count > 0) & (found.counts["inactive"].reshape(kept) == count))
        self.overall = self._overall(count)
        self.sample = monitor._sample

    def _overall(self, count: np.ndarray) -> dict[str, Any]:
        number = int(count.sum())

        def mean(of: np.ndarray) -> float:
            return float(np.sum(of * count, where=count > 0) / number) if number else math.nan

        centre = mean(self.mean)
        spread = np.where(count > 0, self.variance + np.square(self.mean - centre), 0.0)
        return {
            "dead": float(self.dead.mean()) if self.units else math.nan, "inactive": mean(self.inactive),
            "left": mean(self.left), "right": mean(self.right), "mean": centre, "variance": mean(spread),
            "power": mean(self.power), **{n: int(getattr(self, n).sum()) for n in COUNTS[3:]},
        }  # fmt: skip

    def __repr__(self) -> str:
        return table(self)

    def plot(self, axes: Any = None) -> Any:
        """Draw histograms of z, f(z) and f'(z), and the inactive share of the units.

        Parameters
        ----------
        axes : sequence of four matplotlib axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.figure.Figure
            The figure; ``.savefig("relu.png")`` writes it to a file.

        Raises
        ------
        ImportError
            Without matplotlib, which the extra ``plot`` brings.
        ValueError
            If there are not four axes.

        Examples
        --------
        >>> import numpy as np
        >>> import fastact as fa
        >>> z = np.random.default_rng(0).standard_normal((100, 8))
        >>> figure = fa.diagnose(z, "gelu").plot()  # doctest: +SKIP
        """
        from .picture import draw

        return draw(self, axes)


class Monitor:
    """`diagnose` over the batches of a stream, which need not be kept.

    Parameters
    ----------
    function : str or Activation
        An elementwise activation, or any of its names.
    axis : int, tuple of int or None, default 0
        The axes of the batch; what is left are the units. None: all axes, so that the layer is one unit.
    saturation : float, default 0.001
        Elements with |f'(z)| at most this are inactive.
    **params : array_like
        Parameters of the function, broadcast against z; defaults where left out.

    Raises
    ------
    TypeError
        For what is no elementwise activation, and for parameters that it does not have.
    ValueError
        For a name that is none, and a `saturation` that is no number from 0.

    See Also
    --------
    diagnose : The same of one array.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> monitor = fa.Monitor("relu")
    >>> rng = np.random.default_rng(0)
    >>> for batch in range(10):
    ...     z = rng.standard_normal((100, 3)) - [0.0, 1.0, 9.0]
    ...     monitor = monitor.update(z)
    >>> monitor.result().dead
    array([False, False,  True])
    >>> monitor.result().batch
    1000
    """

    def __init__(self, function: str | Activation, axis: Any = 0, *, saturation: float = SATURATION, **params: Any) -> None:
        self._begin("fastact.Monitor", function, axis, saturation, params)

    def _begin(self, title: str, function: Any, axis: Any, saturation: Any, params: dict[str, Any]) -> None:
        self._title = title
        self.function, self._params = activation_of(title, function, params)
        self.axis, self.saturation = axis, fraction_of(title, "saturation", saturation)
        self._edges = edges(self.function, self._params, self.saturation)
        self.reset()

    def reset(self) -> Self:
        """Forget all batches; returns the monitor."""
        self._moments: Moments | None = None
        self._shape: tuple[int, ...] = ()
        self._axes: tuple[int, ...] = ()
        self._rng = np.random.default_rng(0)
        self._sample: tuple[np.ndarray, ...] = (np.empty(0),) * 3
        return self

    def update(self, z: Any) -> Self:
        """Add a batch; returns the monitor.

        Parameters
        ----------
        z : array_like
            Pre-activations; the batches may differ in length, but not in the shape of the units.

        Returns
        -------
        Monitor
            Itself.

        Raises
        ------
        TypeError
            If z is masked, on a GPU, or not of a dtype that activations take.
        ValueError
            If its units are not those of the batches before, or a parameter does not broadcast against it.
        AxisError
            If it has no such axis.
        """
        title = self._title
        array = np.atleast_1d(plain(title, "z", z))
        axes = axes_of(title, self.axis, array.ndim)
        units = tuple(1 if a in axes else n for a, n in enumerate(array.shape))
        if self._moments is not None and units != self._moments.count.shape:
            raise ValueError(f"{title}: z has shape {array.shape}; expected the units of the batches before, {self._shape}")
        named = dict(zip(self.function.params, self._params, strict=True))
        if broadcast_shape(title, {"z": array, **named}) != array.shape:
            shapes = ", ".join(f"{n} {p.shape}" for n, p in named.items() if p.ndim)
            raise ValueError(f"{title}: z has shape {array.shape}; expected parameters that broadcast to it, got {shapes}")
        if self._moments is None:
            self._shape, self._axes, self._moments = array.shape, axes, Moments(units)
        before = self._moments.elements * math.prod(units)
        self._moments.add(array, axes, self.function, self._params, self._edges, self.saturation)
        self._keep_some(array, before)
        return self

    def _keep_some(self, array: np.ndarray, before: int) -> None:
        """Draw a sample of what has come so far from that of the batches before and this batch."""
        kept, total = self._sample[0].size, before + array.size
        fresh = array.size if total <= SAMPLE else int(self._rng.binomial(SAMPLE, array.size / total))
        flat = np.arange(array.size) if fresh == array.size else self._rng.integers(array.size, size=fresh)
        at = np.unravel_index(flat, array.shape)
        z = array[at]
        own = [p.item() if p.ndim == 0 else np.broadcast_to(p, array.shape)[at] for p in self._params]
        stay = slice(None) if total <= SAMPLE else self._rng.permutation(kept)[: SAMPLE - fresh]
        with np.errstate(all="ignore"):
            new = (z, *self.function.value_and_derivative(z, *own))
        self._sample = tuple(np.concatenate([a[stay], b]) for a, b in zip(self._sample, new, strict=True))

    def result(self) -> Diagnosis:
        """Return the diagnosis of all batches so far.

        Raises
        ------
        ValueError
            If there was no batch.
        """
        if self._moments is None:
            raise ValueError(f"{self._title}.result: no batch has been given to update()")
        return Diagnosis(self)

    def __repr__(self) -> str:
        return repr(self.result()) if self._moments is not None else f"<Monitor of {self.function.__name__}, no batch yet>"


def diagnose(z: Any, function: str | Activation, axis: Any = 0, *, saturation: float = SATURATION, **params: Any) -> Diagnosis:
    """Find dead and saturated units, and what a layer does to the variance and to gradients, from its pre-activations.

    Parameters
    ----------
    z : array_like
        Pre-activations of a batch: float16 (computed in float32), float32, float64, integers or bools.
    function : str or Activation
        The elementwise activation that they go into, or any of its names.
    axis : int, tuple of int or None, default 0
        The axes of the batch; what is left are the units. ``(0, 2, 3)`` for channels of images. None: all axes.
    saturation : float, default 0.001
        Elements with |f'(z)| at most this are inactive; 0 counts those through which nothing comes at all.
    **params : array_like
        Parameters of the function, broadcast against z; defaults where left out.

    Returns
    -------
    Diagnosis
        Arrays with an element for each unit, numbers for all of them, a text and `plot`.

    Raises
    ------
    TypeError
        For what is no elementwise activation, for parameters that it does not have, and if z is masked, on a GPU or not of a
        dtype that activations take.
    ValueError
        For a name that is none, a `saturation` that is no number from 0, and parameters that do not broadcast to z.
    AxisError
        If z has no such axis.

    See Also
    --------
    Monitor : The same over batches of a stream.
    gradient_flow : What happens to gradients through a stack of layers.

    Notes
    -----
    A unit is dead if |f'(z)| is at most `saturation` for every element of the batch: for relu, if it is never active. Such a
    unit passes no gradient back and its weights do not change. What never happens in one batch may happen in the next, so ask
    several batches (`Monitor`) before a unit is given up.

    z is read once, in blocks of 65,536 elements that all threads (`get_num_threads`) take from: `value_and_derivative` and
    sums of a block, in float64. Beside the results a few blocks are allocated per thread, whatever the size and layout of z:
    over 80 MB of float32 on two threads 3.4 MB, where the same as NumPy expressions of whole arrays take 340 MB. Results are
    the same bits for any number of threads.

    References
    ----------
    Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks; Lu et al. 2019, Dying
    ReLU and initialization, arXiv:1903.06733.

    Examples
    --------
    >>> import numpy as np
    >>> import fastact as fa
    >>> rng = np.random.default_rng(0)
    >>> z = rng.standard_normal((1000, 4)) - [0.0, 0.0, 1.0, 9.0]
    >>> found = fa.diagnose(z, "relu")
    >>> found.dead
    array([False, False, False,  True])
    >>> found
    relu: 4 units, each over 1,000 elements
                                   overall       least    median  greatest
      inactive, |f'| <= 0.001       71.8 %      50.1 %    68.5 %   100.0 %
      saturated on the left         71.8 %      50.1 %    68.5 %   100.0 %
      saturated on the right         0.0 %       0.0 %     0.0 %     0.0 %
      mean of f(z)                   0.213           0     0.227       0.4
      variance of f(z)               0.205           0     0.189     0.318
      mean of f'(z)^2                0.282           0     0.315     0.499
    1 unit of 4 is dead (25.0 %): |f'(z)| is at most 0.001 on every element, so that its
    weights learn nothing. Lower the learning rate; if units still die, take leaky_relu.
    """
    monitor = Monitor.__new__(Monitor)
    monitor._begin("fastact.diagnose", function, axis, saturation, params)
    return monitor.update(z).result()
