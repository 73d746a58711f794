"""Formulas that users write: read, simplified, differentiated, and written in the language that all targets compile.

`notation` reads a text into a `tree`, `identities` finds what has a better name (``log(1 + exp(x))`` is softplus),
`derivatives` differentiates, `writing` puts the results into the language of ``language/``, with what keeps them accurate.
Nothing here computes, and no text is ever run.
"""
