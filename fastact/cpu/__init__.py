"""The CPU: formulas printed as C loops, compiled once per ISA level, and everything between these and NumPy arrays.

`printer` (and `rows.printer`) run when the package is built and need the standard library alone; `levels` picks the kernels
for this processor; `call` is the fast path from Python to ``fastact._kernels``, `direct` what makes it one, `layouts` takes
large arrays of any layout, `buffers` keeps the memory of outputs, `gated` strings kernels together and `gated_call` calls it,
``rows`` are the row-wise functions, `threads` says how many threads a call is worth, and `threadpool` tells threadpoolctl of
them.
Nothing here knows a formula, or that there are GPUs.
"""
