"""Exponentials and logarithms."""

from ...language.atoms import abs, fma, mul_add, pow2_shifted, round_product, scale_by_pow2, select
from ...language.registry import primitive


@primitive
def clamp_low(x):
    """Clamp to where exp has long underflowed."""
    return select(x < -128.0, -128.0, x)


@primitive
def clamp_exp(x):
    """Clamp to where exp has long underflowed or overflowed; exponents then fit two scalings."""
    low = select(x < -128.0, -128.0, x)
    return select(low > 128.0, 128.0, low)


@primitive
def exp_reduce(x):
    """x = k ln 2 + r with |r| <= ln(2)/2, rounded."""
    k = round_product(x, 1.442695)
    return mul_add(k, -1.4286068e-06, mul_add(k, -0.69314575, x)), k


@primitive
def exp_reduce_product(a, b):
    """a b = k ln 2 + r with |r| <= ln(2)/2, rounded; the product is not: k ln2_hi is exact."""
    k = round_product(a * b, 1.442695)
    return mul_add(k, -1.4286068e-06, fma(a, b, k * -0.69314575)), k


@primitive
def shift_of(k):
    """What, added to an integer, makes it the argument of pow2_shifted for 2^(that - k)."""
    return 12583039.0 - k


@primitive
def exp_reduce_shifted(x, shift):
    """x = k ln 2 + r with |r| <= ln(2)/2: r in two parts, and 2^k shifted."""
    n = mul_add(x, 1.442695, shift)
    k = n - shift
    return mul_add(k, -0.69314575, x), k * -1.4286068e-06, pow2_shifted(n)


@primitive
def exp_reduce_product_shifted(a, b, shift):
    """The same of a b, the product not rounded."""
    n = mul_add(a * b, 1.442695, shift)
    k = n - shift
    return fma(a, b, k * -0.69314575), k * -1.4286068e-06, pow2_shifted(n)


@primitive
def exp_series(r):
    """(exp(r) - 1 - r) / r^2: fit EXP_F32."""
    z = r * r
    even = mul_add(z, mul_add(z, 0.0013820906, 0.041668262), 0.49999994)
    return mul_add(r, mul_add(z, 0.008368672, 0.16666521), even)


@primitive
def exp_reduced(r):
    """exp(r) for |r| <= ln(2)/2 by Horner's rule: fit EXP_F32."""
    p = mul_add(r, 0.0013820906, 0.008368672)
    p = mul_add(r, p, 0.041668262)
    p = mul_add(r, p, 0.16666521)
    p = mul_add(r, p, 0.49999994)
    p = mul_add(r, p, 1.0)
    return mul_add(r, p, 1.0)


@primitive
def exp_shifted(x, shift):
    """exp(x) = p 2^k within an ULP, and 2^k shifted."""
    n = mul_add(x, 1.442695, shift)
    k = n - shift
    return exp_reduced(mul_add(k, -1.4286068e-06, mul_add(k, -0.69314575, x))), pow2_shifted(n)


@primitive
def exp_product_shifted(a, b, low, shift):
    """exp(a b - low) = p 2^k, and 2^k shifted; the product is not rounded, and low is small."""
    n = mul_add(a * b, 1.442695, shift)
    k = n - shift
    return exp_reduced(mul_add(k, -1.4286068e-06, fma(a, b, k * -0.69314575)) - low), pow2_shifted(n)


@primitive
def exp_rise(x, shift):
    """exp(x) = w (1 + e), w the power of two that is shifted: fit EXP_F32, by halves."""
    n = mul_add(x, 1.442695, shift)
    k = n - shift
    r = mul_add(k, -1.4286068e-06, mul_add(k, -0.69314575, x))
    z = r * r
    high = mul_add(z, 0.0013820906, mul_add(r, 0.008368672, 0.041668262))
    return mul_add(z, mul_add(z, high, mul_add(r, 0.16666521, 0.49999994)), r), pow2_shifted(n)


@primitive
def exp(x):
    """exp(x), any x: on the left 2^64 times as large, on the right 2^-64 times, until the last product."""
    c = clamp_exp(x)
    left = c < 0.0
    e, w = exp_rise(c, select(left, shift_of(-64.0), shift_of(64.0)))
    return mul_add(w, e, w) * select(left, 5.421010862427522e-20, 18446744073709551616.0)


@primitive
def exp2_unit(f):
    """2^f for |f| <= 1/2: 1 + f P(f), fit EXP2_F32."""
    p = mul_add(f, 0.00015329203, 0.0013390993)
    p = mul_add(f, p, 0.0096185)
    p = mul_add(f, p, 0.055503596)
    p = mul_add(f, p, 0.24022648)
    p = mul_add(f, p, 0.6931472)
    return mul_add(f, p, 1.0)


@primitive
def log1p_rest(e):
    """log1p(e) - e + e^2/2 for 0 <= e <= 1: e^3 P(e), fit LOG1P_F32."""
    z = e * e
    p = mul_add(e, -0.003675546, 0.021867651)
    p = mul_add(e, p, -0.06090861)
    p = mul_add(e, p, 0.110240094)
    p = mul_add(e, p, -0.15568988)
    p = mul_add(e, p, 0.19774175)
    p = mul_add(e, p, -0.24975078)
    p = mul_add(e, p, 0.3333225)
    return e * p * z


@primitive
def log1p_drop(e):
    """log1p(e) / e - 1 for 0 <= e <= 1: that fit and the term before it."""
    p = mul_add(e, -0.003675546, 0.021867651)
    p = mul_add(e, p, -0.06090861)
    p = mul_add(e, p, 0.110240094)
    p = mul_add(e, p, -0.15568988)
    p = mul_add(e, p, 0.19774175)
    p = mul_add(e, p, -0.24975078)
    p = mul_add(e, p, 0.3333225)
    return e * mul_add(e, p, -0.5)


@primitive
def log_drop(f):
    """f - log(1 + f) = s (f - s^2 P(s^2)), s = f/(2 + f), for -0.3 <= f <= 0.42; fit LOG_ATANH_F32."""
    s = f / (2.0 + f)
    z = s * s
    p = mul_add(z, 0.29870692, 0.39977586)
    p = mul_add(z, p, 0.66666776)
    return s * (f - z * p)


@primitive
def ln2_times(k):
    """k ln 2 in two parts."""
    return k * 0.69314575, k * 1.4286068e-06


@primitive
def scale_down(x, k):
    """x * 2^k for k <= 0 down to where clamp_low stands, rounded once also where the result is subnormal."""
    return scale_by_pow2(x, k + 64.0) * 5.421010862427522e-20


@primitive
def exp_raised(x):
    """exp(x) 2^64 for clamp_low <= x <= 0, no subnormal number, and 1/2^64."""
    r, r_low, w = exp_reduce_shifted(x, shift_of(-64.0))
    r = r + r_low
    return mul_add(w, mul_add(r * r, exp_series(r), r), w), 5.421010862427522e-20


@primitive
def scale_down_large(x, k, large):
    """scale_down for x of any size: where ``large`` holds x may be huge and is at least 1/16, elsewhere it is at most 2^10."""
    y = x * select(large > 0.0, 5.421010862427522e-20, 1.0)
    return scale_by_pow2(y, k + 64.0) * select(large > 0.0, 1.0, 5.421010862427522e-20)


@primitive
def clamp_far(x):
    """Clamp to where even a huge multiple of exp(x) has underflowed."""
    return select(x < -174.0, -174.0, x)


@primitive
def elu_parts(alpha, x):
    """alpha expm1(x) and expm1(x) for x <= 0, and exp(x) = p 2^k."""
    n = mul_add(clamp_far(x), 1.442695, shift_of(0.0))
    k = n - shift_of(0.0)
    r = mul_add(k, -1.4286068e-06, mul_add(k, -0.69314575, clamp_far(x)))
    e = mul_add(r * r, exp_series(r), r)
    two_k = pow2_shifted(select(k < -100.0, shift_of(100.0), n))
    m = mul_add(two_k, e, two_k - 1.0)
    return alpha * m, m, 1.0 + e, k


@primitive
def scale_far(a, x, k):
    """a x 2^k for any a, x near 1 and k <= 0 down to where clamp_far stands, rounded once also where it is subnormal."""
    large = abs(a) > 1.0
    y = (a * select(large, 1.1754943508222875e-38, 1.0)) * x
    return scale_by_pow2(y, k + 126.0) * select(large, 1.0, 1.1754943508222875e-38)


@primitive
def clamp_for(b, x):
    """x clamped so that b x is within clamp_exp."""
    bound = clamp_exp(3.4028235e+38) / abs(b)
    bound = select(bound < 3.4028235e+38, bound, 3.4028235e+38)
    low = select(x < -bound, -bound, x)
    return select(low > bound, bound, low)


@primitive
def clamp_far_for(b, x):
    """x clamped so that |b x| is within clamp_far."""
    bound = -clamp_far(-3.4028235e+38) / abs(b)
    bound = select(bound < 3.4028235e+38, bound, 3.4028235e+38)
    low = select(x < -bound, -bound, x)
    return select(low > bound, bound, low)


@primitive
def counted(g, y):
    """g, 0 where y is -inf or NaN."""
    return select(y >= -3.4028235e+38, g, 0.0)


@primitive
def row_exponents(km):
    """With 2^km at a row's maximum: the power that is scaled to 1, and the one that is too small to count.

    Exponentials of a row are kept 2^24 times as large: those of the least subnormal result are normal numbers then,
    and the power that would be half of that and less is 0.
    """
    return km - 24.0, km - 151.0


@primitive
def celu_series(z):
    """expm1(z) - z exp(z) for -1 <= z <= 0: z^2 P(z), fit CELU_PART_F32."""
    p = mul_add(z, -0.00011208425, -0.0011124647)
    p = mul_add(z, p, -0.0068936157)
    p = mul_add(z, p, -0.033316255)
    p = mul_add(z, p, -0.12499733)
    p = mul_add(z, p, -0.3333332)
    p = mul_add(z, p, -0.5)
    return z * z * p


@primitive
def xielu_series(x):
    """(expm1(x) - x) / x for -1 <= x <= 0: x/2 + x^2 P(x), fit XIELU_PART_F32."""
    p = mul_add(x, 0.00013794957, 0.0013263643)
    p = mul_add(x, p, 0.008302842)
    p = mul_add(x, p, 0.041660056)
    p = mul_add(x, p, 0.1666662)
    return mul_add(x * p, x, 0.5 * x)
