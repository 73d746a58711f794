"""What `help` and `inspect` say of functions of tensors."""

from __future__ import annotations

import inspect
from typing import Any

_PARAMETER = inspect.Parameter


def describe(call: Any, function: Any, arrays: tuple[str, ...], positional: dict[str, Any], keywords: dict[str, Any]) -> Any:
    """Name a function of tensors after that of fastact which it computes; returns it."""
    name = function.__name__
    found = [_PARAMETER(a, _PARAMETER.POSITIONAL_OR_KEYWORD) for a in arrays]
    found += [_PARAMETER(n, _PARAMETER.POSITIONAL_OR_KEYWORD, default=d) for n, d in positional.items()]
    found += [_PARAMETER(n, _PARAMETER.KEYWORD_ONLY, default=d) for n, d in keywords.items()]
    call.__signature__ = inspect.Signature(found)
    call.__name__ = call.__qualname__ = name
    call.__module__ = "fastact.torch"
    call.fastact = function
    call.__doc__ = (
        f"{function.summary}\n\nOf tensors: `fastact.{name}`, which see for the formula and the parameters, with gradients.\n\n"
        "Parameters\n----------\n"
        f"{', '.join(arrays)} : torch.Tensor\n    float16, bfloat16, float32 or float64.\n"
        f"{', '.join([*positional, *keywords])}\n    As of `fastact.{name}`; numbers may be tensors, which broadcast and may "
        "require gradients.\n\n"
        "Returns\n-------\ntorch.Tensor\n    Of the dtype of the input.\n"
    )
    return call
