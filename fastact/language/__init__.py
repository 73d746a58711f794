"""The language of formulas: a short function in a restricted Python, written once and compiled for every target.

A formula has assignments, ``+ - * /``, comparisons, float literals, parameters, and calls to atoms and primitives. It
returns the value, then the derivative by x, then one by each parameter, and knows no dtype: whoever compiles it types
the literals. `terms` and `registry` say what can be written and collect it, `grammar` refuses the rest, `atoms` are the
operations that exist once per target, `text` is a formula parsed, with the slice that an output needs, `kinds` what can be
asked of one. Nothing here knows a target, and only the standard library is used, so that the build can import it.
"""
