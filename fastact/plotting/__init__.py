"""Pictures of curves, with matplotlib: `axes` draws them and what marks them, `sheet` many in one figure, `style` how it looks.

Knows curves by their values and facts (`fastact.functions.analysis.Curve`); knows no function. Imported when a plot is
asked for; matplotlib is the extra ``plot``.
"""
