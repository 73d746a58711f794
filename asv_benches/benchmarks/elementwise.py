"""Time of every activation: value, derivative, backward and both, from the registry."""

import numpy as np

import fastact as fa

NAMES = fa.activations()


class Contiguous:
    """Float32 in the second-level cache, written in place of an earlier result."""

    version = "1"
    params = (NAMES, ["value", "derivative", "backward", "value_and_derivative"])
    param_names = ("function", "kind")
    size = 100_000

    def setup(self, name, kind):
        """Make the arrays, once per combination."""
        rng = np.random.default_rng(0)
        self.x = (3 * rng.standard_normal(self.size)).astype(np.float32)
        self.grad = rng.standard_normal(self.size).astype(np.float32)
        activation = fa.get(name)
        self.call = activation if kind == "value" else getattr(activation, kind)
        self.args = (self.grad, self.x) if kind == "backward" else (self.x,)
        self.out = (np.empty_like(self.x), np.empty_like(self.x)) if kind == "value_and_derivative" else np.empty_like(self.x)

    def time_call(self, name, kind):
        """One call with an output array."""
        self.call(*self.args, out=self.out)


class Overhead:
    """A call on ten elements: all of it is overhead."""

    version = "1"
    x = np.linspace(-2, 2, 10, dtype=np.float32)

    def time_relu(self):
        """Plain array, fresh output."""
        fa.relu(self.x)

    def time_numpy_maximum(self):
        """What NumPy costs for the same."""
        np.maximum(self.x, 0)
