"""Primitives whose polynomials are fitted to float32. The fits: tools/fit_polynomials.py."""

from .._atoms import abs, fma, mul_add, pow2_shifted, round_product, scale_by_pow2, select
from .._spec import primitive


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
def sixth(x):
    """x / 6: two products take less time than a division. Both parts of 1/6 are positive, so that -0.0 stays what it is."""
    return fma(x, 0.16666666, x * 9.9341078e-09)


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
def clamp_gelu_tanh(x):
    """Clamp to where the exponent of gelu_tanh is within that of clamp_exp, its tail long underflowed."""
    low = select(x < -11.5, -11.5, x)
    return select(low > 11.5, 11.5, low)


@primitive
def clamp_gaussian(x):
    """Clamp to where exp(-x^2) has long underflowed and -x^2 is within clamp_low."""
    low = select(x < -11.3, -11.3, x)
    return select(low > 11.3, 11.3, low)


@primitive
def clamp_normal(t):
    """Clamp t >= 0 to where the normal tail has long underflowed."""
    return select(t > 14.8, 14.8, t)


@primitive
def mills(t):
    """Mills ratio Phi(-t)/phi(t) = P / (t P + S) for t >= 0: numerator and denominator; fit MILLS_F32."""
    p = mul_add(t, 0.0031229237, 0.037390966)
    p = mul_add(t, p, 0.21404403)
    p = mul_add(t, p, 0.7093132)
    p = mul_add(t, p, 1.3606552)
    p = mul_add(t, p, 1.2533141)
    s = mul_add(t, 0.0031232224, 0.037375666)
    s = mul_add(t, s, 0.20813516)
    s = mul_add(t, s, 0.6302162)
    s = mul_add(t, s, 1.0)
    return p, mul_add(t, p, s)


@primitive
def normal_quotient(t):
    """p, n = t p and d with Phi(-t) = exp(-t^2/2) p/d for t >= 0: d = sqrt(2 pi) n + 1 + t s; fit NORMAL_F32.

    q is -2 (p - 1/2)/t: the square is that of the exponent, and near 0 n is rounded once.
    """
    q = mul_add(t, -0.0024956816, -0.029865503)
    q = mul_add(t, q, -0.17090873)
    q = mul_add(t, q, -0.566221)
    q = mul_add(t, q, -1.0859176)
    s = mul_add(t, 0.0031281735, 0.037415594)
    s = mul_add(t, s, 0.2082824)
    s = mul_add(t, s, 0.630488)
    h = -0.5 * t
    n = mul_add(h * t, q, -h)
    return mul_add(h, q, 0.5), n, 1.0 + mul_add(n, 2.5066283, t * s)


@primitive
def erf_unit(x):
    """erf(x) - x for 0 <= x <= 1: x P(x^2), fit ERF_F32."""
    z = x * x
    p = mul_add(z, 7.806904e-05, -0.0007997853)
    p = mul_add(z, p, 0.005187162)
    p = mul_add(z, p, -0.026853347)
    p = mul_add(z, p, 0.11283579)
    p = mul_add(z, p, -0.37612626)
    p = mul_add(z, p, 0.12837917)
    return x * p


@primitive
def square_scale(a, b):
    """f and 1/f, a power of two for which (a f)^2 + b f^2 neither overflows nor loses digits: 2^-100, 1 or 2^60."""
    small = (a < 8.881784197001252e-16) & (b < 7.888609052210118e-31)
    large = a > 1125899906842624.0
    f = select(large, 7.888609052210118e-31, select(small, 1.152921504606847e+18, 1.0))
    return f, select(large, 1.2676506002282294e+30, select(small, 8.673617379884035e-19, 1.0))


@primitive
def sin_tail(r):
    """sin(r) - r for |r| <= pi/4: r^3 P(r^2), fit SIN_F32."""
    z = r * r
    p = mul_add(z, -0.0001951829, 0.008332189)
    p = mul_add(z, p, -0.16666655)
    return r * (z * p)


@primitive
def turns_window(a):
    """Digits of 1/(2 pi) in four parts that matter for |x| = a, and the factor for x; fit TURNS_F32.

    The digits before them make whole turns. Rows after the first are scaled by 2^64, and x by its inverse.
    """
    w0 = 2.8011504e-05
    w0 = select(a < 2.5353012e+30, -7273141.5, w0)
    w0 = select(a < 4.611686e+18, 0.15915494, w0)
    w1 = -6.351664e-13
    w1 = select(a < 2.5353012e+30, -0.0037561683, w1)
    w1 = select(a < 4.611686e+18, 6.4206382e-09, w1)
    w2 = 1.16141506e-20
    w2 = select(a < 2.5353012e+30, 1.1396117e-10, w2)
    w2 = select(a < 4.611686e+18, 7.342739e-17, w2)
    w3 = -3.2426789e-28
    w3 = select(a < 2.5353012e+30, -8.557476e-19, w3)
    w3 = select(a < 4.611686e+18, 1.5185067e-24, w3)
    return w0, w1, w2, w3, select(a < 4.611686e+18, 1.0, 5.421010862427522e-20)


@primitive
def atan_unit(x):
    """atan(x) - x for 0 <= x <= 1: x^3 P(x^2), fit ATAN_F32."""
    z = x * x
    p = mul_add(z, -0.0017824693, 0.010867556)
    p = mul_add(z, p, -0.031095592)
    p = mul_add(z, p, 0.057880573)
    p = mul_add(z, p, -0.08399284)
    p = mul_add(z, p, 0.10950878)
    p = mul_add(z, p, -0.14264016)
    p = mul_add(z, p, 0.1999853)
    p = mul_add(z, p, -0.333333)
    return x * (z * p)


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
def snake_series(u):
    """(u sin(2u) - sin(u)^2) / u^2 for |u| <= pi/4: 1 + u^2 P(u^2), fit SNAKE_PART_F32."""
    z = u * u
    p = mul_add(z, 0.0011976878, -0.022182994)
    p = mul_add(z, p, 0.22221366)
    p = mul_add(z, p, -0.9999994)
    return mul_add(z, p, 1.0)


@primitive
def tanh_near(x):
    """tanh(x) - x for 0 <= x <= 0.75: x^3 P(x^2), fit TANH_F32."""
    z = x * x
    p = mul_add(z, 0.0017417484, -0.0076658046)
    p = mul_add(z, p, 0.021457791)
    p = mul_add(z, p, -0.053894535)
    p = mul_add(z, p, 0.1333272)
    p = mul_add(z, p, -0.33333316)
    return x * z * p


@primitive
def tanh_shrink_rest(z):
    """(x - tanh(x)) / x^3 - 1/3 for z = x^2 <= 1: z (3P - Q)/z / (3Q), fit TANH_SHRINK_F32 of P/Q."""
    n = mul_add(z, -0.047259197, -1.1999998)
    q = mul_add(z, 0.14177759, 3.9972942)
    q = mul_add(z, q, 9.0)
    return z * n / q
