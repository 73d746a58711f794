"""Every public function by its names: elementwise, row-wise, gated, of several pieces, randomised."""

from typing import Any

from . import _activation, _gated_units, _pieces, _softmax, _stochastic

BY_NAME: dict[str, Any] = {
    name: function
    for module in (_activation, _softmax, _gated_units, _pieces, _stochastic)
    for name, function in module.BY_NAME.items()
}
