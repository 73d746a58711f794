"""tanh and its kin."""

from ...language.atoms import mul_add
from ...language.registry import primitive


@primitive
def tanh_near(x):
    """tanh(x) - x for 0 <= x <= 0.75: x^3 P(x^2), fit TANH_F64."""
    z = x * x
    p = mul_add(z, -1.486156039876471e-06, 9.494158508158902e-06)
    p = mul_add(z, p, -3.3619831165996256e-05)
    p = mul_add(z, p, 9.344554558847209e-05)
    p = mul_add(z, p, -0.00023762165209132352)
    p = mul_add(z, p, 0.000589560112900294)
    p = mul_add(z, p, -0.0014557313999814469)
    p = mul_add(z, p, 0.0035921121549314216)
    p = mul_add(z, p, -0.00886323386751294)
    p = mul_add(z, p, 0.021869488423976954)
    p = mul_add(z, p, -0.05396825396378047)
    p = mul_add(z, p, 0.13333333333324346)
    p = mul_add(z, p, -0.3333333333333327)
    return x * z * p


@primitive
def tanh_shrink_rest(z):
    """(x - tanh(x)) / x^3 - 1/3 for z = x^2 <= 1: z (3P - Q)/z / (3Q), fit TANH_SHRINK_F64 of P/Q."""
    n = mul_add(z, -0.0007626479254311841, -0.07135768688675177)
    n = mul_add(z, n, -1.1999999999999986)
    q = mul_add(z, 0.0022884094368932576, 0.22064072864771786)
    q = mul_add(z, q, 4.178039794507563)
    q = mul_add(z, q, 9.0)
    return z * n / q


@primitive
def softcap_part(x):
    """tanh(x) - x sech(x)^2 for 0 <= x <= 0.75: x^3 P(x^2), fit SOFTCAP_PART_F64."""
    z = x * x
    p = mul_add(z, -6.8466507906113295e-06, 1.210516288092852e-05)
    p = mul_add(z, p, 4.5531376140199996e-05)
    p = mul_add(z, p, -0.00026681755109038045)
    p = mul_add(z, p, 0.0007898420772642132)
    p = mul_add(z, p, -0.0019047119997158055)
    p = mul_add(z, p, 0.004293533369472349)
    p = mul_add(z, p, -0.009437979070478712)
    p = mul_add(z, p, 0.020381288543631977)
    p = mul_add(z, p, -0.04310549367677531)
    p = mul_add(z, p, 0.088632352273211)
    p = mul_add(z, p, -0.174955908160572)
    p = mul_add(z, p, 0.3238095238066592)
    p = mul_add(z, p, -0.5333333333333081)
    p = mul_add(z, p, 0.6666666666666666)
    return x * z * p
