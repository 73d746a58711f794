"""Checked by mypy, not run: the stubs cover what users write."""

import numpy as np

import fastact as fa

x = np.linspace(-1.0, 1.0, 5)
y = fa.gelu(x)
d = fa.swish.derivative(x, 0.5)
pair = fa.mish.value_and_derivative(x)
g = fa.prelu.parameter_gradients(x, x, weight=0.1)["weight"]
names: list[str] = fa.activations()
activation: fa.Activation = fa.get("elu")
