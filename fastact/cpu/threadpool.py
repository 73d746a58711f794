"""Makes the pool known to threadpoolctl, whichever of the two packages is imported first."""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from . import threads

LIBRARY = "threadpoolctl"


def register(threadpoolctl: ModuleType) -> None:
    """Let ``threadpool_limits`` limit the threads, and ``threadpool_info`` list them."""
    if not hasattr(threadpoolctl, "register"):  # before 3.3
        return
    base: Any = threadpoolctl.LibController

    class Controller(base):
        """The threads of fastact."""

        user_api = internal_api = "fastact"
        filename_prefixes = ("threads.",)
        check_symbols = ("fastact_threads",)

        def get_num_threads(self) -> int:
            return threads.get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            threads.set_num_threads(num_threads)

        def get_version(self) -> str | None:
            return getattr(sys.modules[__name__.partition(".")[0]], "__version__", None)

    threadpoolctl.register(Controller)


class WhenImported(MetaPathFinder):
    """Registers once the library has been imported; nothing imports it for that."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find the library where everybody finds it."""
        if fullname != LIBRARY or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                register(module)

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


if LIBRARY in sys.modules:
    register(sys.modules[LIBRARY])
else:
    sys.meta_path.insert(0, WhenImported())
