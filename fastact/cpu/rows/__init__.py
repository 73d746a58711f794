"""Row-wise functions on the CPU: `printer` makes kernels of the passes, `layout` brings an array to rows, `ways` walks them.

A function is a sequence of passes (`functions`) over a row, a tile or a panel (`ways`); `passes` runs one of them, and
`accumulators` is what it leaves.
"""
