"""The functions of tensors as classes of modules."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

import torch

from ..arguments import folded


@cache
def _names() -> dict[str, str]:
    """What torch calls its modules, by spellings without what these differ in."""
    return {folded(n): n for n, c in vars(torch.nn).items() if isinstance(c, type) and issubclass(c, torch.nn.Module)}


def class_name(name: str) -> str:
    """The class of a function: as torch has it, else with a capital for each word."""
    own = {"swiglu": "SwiGLU", "geglu": "GEGLU", "reglu": "ReGLU", "seglu": "SeGLU"}
    return own.get(name) or _names().get(folded(name)) or "".join(part[:1].upper() + part[1:] for part in name.split("_"))


class Module(torch.nn.Module):
    """A function of fastact with its parameters, as a module.

    Parameters
    ----------
    *args, **named
        The parameters of the function. A number is a constant, a `torch.nn.Parameter` is learnt, another tensor is a buffer.
    learn : iterable of str, optional
        The parameters that are learnt, from the numbers or tensors given for them; by default those that the paper trains.

    Raises
    ------
    TypeError, ValueError
        For parameters that the function does not have.
    """

    function: Any = None

    def __init__(self, *args: Any, learn: Iterable[str] | None = None, **named: Any) -> None:
        super().__init__()
        try:
            given = self._signature.bind(*args, **named)
        except TypeError as error:
            taken = ", ".join(self._signature.parameters) or "nothing"
            raise TypeError(f"{self._title}: {error}; expected {taken}, and learn") from None
        given.apply_defaults()
        known = getattr(self.function.fastact, "params", {}) or {"temperature": 1.0, "alpha": 1.5}
        spec = getattr(self.function.fastact, "spec", None)
        learnt = (spec.trained if spec is not None else ()) if learn is None else tuple(learn)
        for name in learnt:
            if name not in given.arguments or name not in known:
                raise ValueError(f"{self._title}: learn has {name!r}; expected some of {', '.join(known) or 'nothing'}")
        for name, value in given.arguments.items():
            if name in learnt and not isinstance(value, torch.nn.Parameter):
                dtype = None if torch.is_tensor(value) else torch.get_default_dtype()
                value = torch.nn.Parameter(torch.as_tensor(value, dtype=dtype))
            if isinstance(value, torch.Tensor) and not isinstance(value, torch.nn.Parameter):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self._given = {name: self._signature.parameters[name].default for name in given.arguments}

    def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
        """Compute."""
        named = {}
        for name, default in self._given.items():
            if (value := getattr(self, name)) is not default:  # what is left out takes the shortest way
                named[name] = value
        return self._call(*arrays, **named)

    def extra_repr(self) -> str:
        """The parameters that are not the default."""
        defaults = {n: p.default for n, p in self._signature.parameters.items()}
        found = []
        for name in self._given:
            value = getattr(self, name)
            if isinstance(value, torch.Tensor):
                found.append(f"{name}={value.item():g}" if value.numel() == 1 else f"{name}=tensor of shape {tuple(value.shape)}")
            elif value != defaults[name]:
                found.append(f"{name}={value!r}")
        return ", ".join(found)


def module(function: Any) -> Any:
    """The class of a function of tensors."""
    name = class_name(function.__name__)
    made = _MADE.get(name)
    if made is None or made.function.fastact is not function.fastact:
        found = list(function.__signature__.parameters.values())
        arrays = [p for p in found if p.name in ("x", "a", "b") and (p.default is p.empty or p.default is None)]
        signature = inspect.Signature([p for p in found if p not in arrays])
        made = _MADE[name] = type(name, (Module,), {
            "__doc__": f"{function.fastact.summary}\n\n" + (inspect.getdoc(Module) or "").partition("\n\n")[2],
            "__module__": "fastact.torch", "function": staticmethod(function), "_call": staticmethod(function),
            "_signature": signature, "_title": f"fastact.torch.{name}",
        })  # fmt: skip
        if getattr(sys.modules["fastact.torch"], "__getattr__", None) is not None:
            setattr(sys.modules["fastact.torch"], name, made)  # where pickles find it
    return made


_MADE: dict[str, Any] = {}
