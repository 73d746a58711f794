"""The gated units: what the gate goes through, and which half it is; the other half is multiplied by that."""

UNITS = {
    "glu": ("sigmoid", "second"),
    "bilinear": ("identity", "first"),
    "reglu": ("relu", "first"),
    "geglu": ("gelu", "first"),
    "swiglu": ("silu", "first"),
    "seglu": ("selu", "first"),
}
