"""Primitives whose polynomials are fitted to float64. The fits: tools/fit_polynomials.py."""

from .._atoms import mul_add, round_small, select
from .._spec import primitive


@primitive
def clamp_exp(x):
    """Clamp to where exp has long underflowed or overflowed; exponents then fit two scalings."""
    low = select(x < -800.0, -800.0, x)
    return select(low > 800.0, 800.0, low)


@primitive
def exp_reduce(x):
    """x = k ln 2 + r + r_low with |r| <= ln(2)/2: k ln2_hi is exact for |k| < 2^12."""
    k = round_small(x * 1.4426950408889634)
    a = mul_add(k, -0.6931471805601177, x)
    b = k * -1.7239444525614835e-13
    r = a - b
    return r, (a - r) - b, k


@primitive
def exp_tail(r, r_low):
    """exp(r + r_low) - 1 - r: fit EXP_F64."""
    q = mul_add(r, 2.5006610419988034e-08, 2.7630282640612767e-07)
    q = mul_add(r, q, 2.75575614558343e-06)
    q = mul_add(r, q, 2.480149294626561e-05)
    q = mul_add(r, q, 0.00019841269541309747)
    q = mul_add(r, q, 0.0013888888943886437)
    q = mul_add(r, q, 0.008333333333473603)
    q = mul_add(r, q, 0.0416666666665283)
    q = mul_add(r, q, 0.16666666666666458)
    q = mul_add(r, q, 0.5000000000000011)
    return mul_add(r, mul_add(r, q, r_low), r_low)


@primitive
def expm1_tail(r, r_low):
    """exp(r + r_low) - 1 - r, exact relative to expm1 at 0: fit EXPM1_HI_F64."""
    q = mul_add(r, 2.089608781263535e-09, 2.51087004564437e-08)
    q = mul_add(r, q, 2.7557322587405327e-07)
    q = mul_add(r, q, 2.7557245091426916e-06)
    q = mul_add(r, q, 2.4801587286329494e-05)
    q = mul_add(r, q, 0.00019841269885424734)
    q = mul_add(r, q, 0.0013888888888891119)
    q = mul_add(r, q, 0.008333333333321761)
    q = mul_add(r, q, 0.041666666666666685)
    q = mul_add(r, q, 0.16666666666666677)
    q = mul_add(r, q, 0.5)
    return mul_add(r, mul_add(r, q, r_low), r_low)


@primitive
def log1p_unit(e):
    """e - log1p(e) for 0 <= e <= 1: e^2 P(e), fit LOG1P01_F64."""
    p = mul_add(e, -2.5332807957656895e-05, 0.00029179080301809966)
    p = mul_add(e, p, -0.0015958824922502099)
    p = mul_add(e, p, 0.005543524344787754)
    p = mul_add(e, p, -0.01383942897362988)
    p = mul_add(e, p, 0.026745196959024022)
    p = mul_add(e, p, -0.04230147769176399)
    p = mul_add(e, p, 0.057503167084663416)
    p = mul_add(e, p, -0.07035617874629051)
    p = mul_add(e, p, 0.08081250629452802)
    p = mul_add(e, p, -0.09013169565010454)
    p = mul_add(e, p, 0.09981019987568161)
    p = mul_add(e, p, -0.1110750724311735)
    p = mul_add(e, p, 0.12499479846090734)
    p = mul_add(e, p, -0.142856589295541)
    p = mul_add(e, p, 0.1666666250170331)
    p = mul_add(e, p, -0.1999999979153753)
    p = mul_add(e, p, 0.24999999993685573)
    p = mul_add(e, p, -0.3333333333323525)
    p = mul_add(e, p, 0.4999999999999946)
    return e * e * p


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
def clamp_gelu_tanh(x):
    """Clamp to where the exponent of gelu_tanh is within that of clamp_exp, its tail long underflowed."""
    low = select(x < -22.0, -22.0, x)
    return select(low > 22.0, 22.0, low)


@primitive
def clamp_normal(t):
    """Clamp t >= 0 to where the normal tail has long underflowed."""
    return select(t > 39.4, 39.4, t)


@primitive
def mills(t):
    """Mills ratio Phi(-t)/phi(t) = P / (t P + S) for t >= 0: numerator and denominator; fit MILLS_F64."""
    p = mul_add(t, 6.434919563225017e-07, 1.929688869197644e-05)
    p = mul_add(t, p, 0.00028570424581639015)
    p = mul_add(t, p, 0.002711112454737068)
    p = mul_add(t, p, 0.018112384672476948)
    p = mul_add(t, p, 0.08861729061684324)
    p = mul_add(t, p, 0.32100002183183035)
    p = mul_add(t, p, 0.8507843172451159)
    p = mul_add(t, p, 1.5853581081299122)
    p = mul_add(t, p, 1.8915869065879138)
    p = mul_add(t, p, 1.1162329035466174)
    s = mul_add(t, 6.434919562767699e-07, 1.9296888700867284e-05)
    s = mul_add(t, s, 0.00028441726112617534)
    s = mul_add(t, s, 0.0026725187182503195)
    s = mul_add(t, s, 0.01754740963987367)
    s = mul_add(t, s, 0.08338807251831698)
    s = mul_add(t, s, 0.28758392813423334)
    s = mul_add(t, s, 0.69924446188294)
    s = mul_add(t, s, 1.1036510216017832)
    s = mul_add(t, s, 0.890625)
    return p, mul_add(t, p, s)


@primitive
def erf_unit(x):
    """erf(x) - x for 0 <= x <= 1: x P(x^2), fit ERF_F64."""
    z = x * x
    p = mul_add(z, -7.60783348389087e-10, 1.3619181763016701e-08)
    p = mul_add(z, p, -1.6185176323296032e-07)
    p = mul_add(z, p, 1.6444391451994332e-06)
    p = mul_add(z, p, -1.4924492789099411e-05)
    p = mul_add(z, p, 0.0001205528235117169)
    p = mul_add(z, p, -0.0008548325563814105)
    p = mul_add(z, p, 0.00522397759879216)
    p = mul_add(z, p, -0.02686617064227116)
    p = mul_add(z, p, 0.11283791670939389)
    p = mul_add(z, p, -0.37612638903183415)
    p = mul_add(z, p, 0.12837916709551256)
    return x * p


@primitive
def square_scale(a, b):
    """A power of two f for which (a f)^2 + b f^2 neither overflows nor loses digits: 2^-600, 1 or 2^500."""
    small = (a < 3.8725919148493183e-121) & (b < 1.499696813895631e-241)
    return select(a > 3.273390607896142e+150, 2.409919865102884e-181, select(small, 3.273390607896142e+150, 1.0))
