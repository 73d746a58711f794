"""Exponentials and logarithms."""

from ...language.atoms import abs, fma, mul_add, pow2_shifted, round_product, scale_by_pow2, select
from ...language.registry import primitive


@primitive
def clamp_low(x):
    """Clamp to where exp has long underflowed."""
    return select(x < -800.0, -800.0, x)


@primitive
def clamp_exp(x):
    """Clamp to where exp has long underflowed or overflowed; exponents then fit two scalings."""
    low = select(x < -800.0, -800.0, x)
    return select(low > 800.0, 800.0, low)


@primitive
def exp_reduce(x):
    """x = k ln 2 + r with |r| <= ln(2)/2, rounded."""
    k = round_product(x, 1.4426950408889634)
    return mul_add(k, 1.7239444525614835e-13, mul_add(k, -0.6931471805601177, x)), k


@primitive
def exp_reduce_product(a, b):
    """a b = k ln 2 + r with |r| <= ln(2)/2, rounded; the product is not: k ln2_hi is exact."""
    k = round_product(a * b, 1.4426950408889634)
    return mul_add(k, 1.7239444525614835e-13, fma(a, b, k * -0.6931471805601177)), k


@primitive
def shift_of(k):
    """What, added to an integer, makes it the argument of pow2_shifted for 2^(that - k)."""
    return 6755399441056767.0 - k


@primitive
def exp_reduce_shifted(x, shift):
    """x = k ln 2 + r with |r| <= ln(2)/2: r in two parts, and 2^k shifted."""
    n = mul_add(x, 1.4426950408889634, shift)
    k = n - shift
    return mul_add(k, -0.6931471805601177, x), k * 1.7239444525614835e-13, pow2_shifted(n)


@primitive
def exp_reduce_product_shifted(a, b, shift):
    """The same of a b, the product not rounded."""
    n = mul_add(a * b, 1.4426950408889634, shift)
    k = n - shift
    return fma(a, b, k * -0.6931471805601177), k * 1.7239444525614835e-13, pow2_shifted(n)


@primitive
def exp_series(r):
    """(exp(r) - 1 - r) / r^2: fit EXP_F64."""
    z = r * r
    even = mul_add(z, 2.7630282640612767e-07, 2.480149294626561e-05)
    even = mul_add(z, even, 0.0013888888943886437)
    even = mul_add(z, even, 0.0416666666665283)
    even = mul_add(z, even, 0.5000000000000011)
    odd = mul_add(z, 2.5006610419988034e-08, 2.75575614558343e-06)
    odd = mul_add(z, odd, 0.00019841269541309747)
    odd = mul_add(z, odd, 0.008333333333473603)
    odd = mul_add(z, odd, 0.16666666666666458)
    return mul_add(r, odd, even)


@primitive
def log1p_rest(e):
    """log1p(e) - e + e^2/2 for 0 <= e <= 1: e^3 P(e), fit LOG1P_F64."""
    z = e * e
    even = mul_add(z, 2.667643919850624e-05, 0.001660710363476385)
    even = mul_add(z, even, 0.014215805459457847)
    even = mul_add(z, even, 0.0429038833586971)
    even = mul_add(z, even, 0.0706913018710539)
    even = mul_add(z, even, 0.090201074660976)
    odd = mul_add(z, -0.0003055039946404464, -0.005731885265805138)
    odd = mul_add(z, odd, -0.02729350275505399)
    odd = mul_add(z, odd, -0.05801246921108222)
    odd = mul_add(z, odd, -0.08098496752625747)
    p = mul_add(e, odd, even)
    p = mul_add(e, p, -0.09983189844551811)
    p = mul_add(e, p, 0.11108029195008724)
    p = mul_add(e, p, -0.12499574792466638)
    p = mul_add(e, p, 0.14285671669629982)
    p = mul_add(e, p, -0.1666666371795202)
    p = mul_add(e, p, 0.19999999869831356)
    p = mul_add(e, p, -0.24999999996808875)
    p = mul_add(e, p, 0.3333333333330177)
    return e * p * z


@primitive
def log_drop(f):
    """f - log(1 + f) = s (f - s^2 P(s^2)), s = f/(2 + f), for -0.3 <= f <= 0.42; fit LOG_ATANH_F64."""
    s = f / (2.0 + f)
    z = s * s
    p = mul_add(z, 0.14795342768073116, 0.153141129505812)
    p = mul_add(z, p, 0.18183561810716342)
    p = mul_add(z, p, 0.2222219862328793)
    p = mul_add(z, p, 0.28571428741879196)
    p = mul_add(z, p, 0.39999999999417085)
    p = mul_add(z, p, 0.6666666666666734)
    return s * (f - z * p)


@primitive
def ln2_times(k):
    """k ln 2 in two parts."""
    return k * 0.6931471805601177, k * -1.7239444525614835e-13


@primitive
def scale_down(x, k):
    """x * 2^k for k <= 0 down to where clamp_low stands, rounded once also where the result is subnormal."""
    return scale_by_pow2(x, k + 192.0) * 1.5930919111324523e-58


@primitive
def exp_raised(x):
    """exp(x) 2^192 for clamp_low <= x <= 0, no subnormal number, and 1/2^192."""
    r, r_low, w = exp_reduce_shifted(x, shift_of(-192.0))
    r = r + r_low
    return mul_add(w, mul_add(r * r, exp_series(r), r), w), 1.5930919111324523e-58


@primitive
def scale_down_large(x, k, large):
    """scale_down for x of any size: where ``large`` holds x may be huge and is at least 1/16, elsewhere it is at most 2^10."""
    y = x * select(large > 0.0, 1.5930919111324523e-58, 1.0)
    return scale_by_pow2(y, k + 192.0) * select(large > 0.0, 1.0, 1.5930919111324523e-58)


@primitive
def clamp_far(x):
    """Clamp to where even a huge multiple of exp(x) has underflowed."""
    return select(x < -1400.0, -1400.0, x)


@primitive
def scale_far(a, x, k):
    """a x 2^k for any a, x near 1 and k <= 0 down to where clamp_far stands, rounded once also where it is subnormal."""
    large = abs(a) > 1.0
    y = (a * select(large, 2.2250738585072014e-308, 1.0)) * x
    return scale_by_pow2(y, k + 1022.0) * select(large, 1.0, 2.2250738585072014e-308)


@primitive
def clamp_for(b, x):
    """x clamped so that b x is within clamp_exp."""
    bound = clamp_exp(1.7976931348623157e+308) / abs(b)
    bound = select(bound < 1.7976931348623157e+308, bound, 1.7976931348623157e+308)
    low = select(x < -bound, -bound, x)
    return select(low > bound, bound, low)


@primitive
def clamp_far_for(b, x):
    """x clamped so that |b x| is within clamp_far."""
    bound = -clamp_far(-1.7976931348623157e+308) / abs(b)
    bound = select(bound < 1.7976931348623157e+308, bound, 1.7976931348623157e+308)
    low = select(x < -bound, -bound, x)
    return select(low > bound, bound, low)


@primitive
def counted(g, y):
    """g, 0 where y is -inf or NaN."""
    return select(y >= -1.7976931348623157e+308, g, 0.0)


@primitive
def row_exponents(km):
    """With 2^km at a row's maximum: the power that is scaled to 1, and the one that is too small to count.

    Exponentials of a row are kept 2^53 times as large: those of the least subnormal result are normal numbers then,
    and the power that would be half of that and less is 0.
    """
    return km - 53.0, km - 1076.0


@primitive
def celu_series(z):
    """expm1(z) - z exp(z) for -1 <= z <= 0: z^2 P(z), fit CELU_PART_F64."""
    p = mul_add(z, -9.27827101539328e-11, -1.7743230126742614e-09)
    p = mul_add(z, p, -2.2712735931797746e-08)
    p = mul_add(z, p, -2.502488780723482e-07)
    p = mul_add(z, p, -2.479958299230439e-06)
    p = mul_add(z, p, -2.2045753622200574e-05)
    p = mul_add(z, p, -0.00017361107568883907)
    p = mul_add(z, p, -0.001190476182218331)
    p = mul_add(z, p, -0.006944444443213652)
    p = mul_add(z, p, -0.03333333333322536)
    p = mul_add(z, p, -0.12499999999999523)
    p = mul_add(z, p, -0.33333333333333326)
    p = mul_add(z, p, -0.5)
    return z * z * p


@primitive
def xielu_series(x):
    """(expm1(x) - x) / x for -1 <= x <= 0: x/2 + x^2 P(x), fit XIELU_PART_F64."""
    p = mul_add(x, 1.0494286610605757e-10, 1.9519458353437178e-09)
    p = mul_add(x, p, 2.4854570554228204e-08)
    p = mul_add(x, p, 2.753881188289537e-07)
    p = mul_add(x, p, 2.7556166223201758e-06)
    p = mul_add(x, p, 2.4801539263595247e-05)
    p = mul_add(x, p, 0.0001984126852472843)
    p = mul_add(x, p, 0.0013888888866123437)
    p = mul_add(x, p, 0.008333333333103892)
    p = mul_add(x, p, 0.0416666666666551)
    p = mul_add(x, p, 0.16666666666666646)
    return mul_add(x * p, x, 0.5 * x)
