"""The normal distribution: its density and its tail."""

from ...language.atoms import mul_add, select
from ...language.registry import primitive


@primitive
def clamp_gelu_tanh(x):
    """Clamp to where the exponent of gelu_tanh is within that of clamp_exp, its tail long underflowed."""
    low = select(x < -22.0, -22.0, x)
    return select(low > 22.0, 22.0, low)


@primitive
def clamp_gaussian(x):
    """Clamp to where exp(-x^2) has long underflowed and -x^2 is within clamp_low."""
    low = select(x < -28.2, -28.2, x)
    return select(low > 28.2, 28.2, low)


@primitive
def clamp_normal(t):
    """Clamp t >= 0 to where the normal tail has long underflowed."""
    return select(t > 39.4, 39.4, t)


@primitive
def mills(t):
    """Mills ratio Phi(-t)/phi(t) = P / (t P + S) for t >= 0: numerator and denominator; fit MILLS_F64."""
    z = t * t
    even = mul_add(z, 9.037769079567128e-07, 0.0004009895016938634)
    even = mul_add(z, even, 0.02541519374530497)
    even = mul_add(z, even, 0.4504098974554602)
    even = mul_add(z, even, 2.224657269894713)
    even = mul_add(z, even, 1.5666426716443753)
    odd = mul_add(z, 2.7090220662299356e-05, 0.003804522261114486)
    odd = mul_add(z, odd, 0.1243430290173553)
    odd = mul_add(z, odd, 1.1938060426083654)
    odd = mul_add(z, odd, 2.654567740481937)
    p = mul_add(t, odd, even)
    even = mul_add(z, 2.7090220675606545e-05, 0.0037503418794986158)
    even = mul_add(z, even, 0.11700494115866068)
    even = mul_add(z, even, 0.9811769743842842)
    even = mul_add(z, even, 1.25)
    odd = mul_add(z, 9.037769078871589e-07, 0.00039918194672983214)
    odd = mul_add(z, odd, 0.024622250398205574)
    odd = mul_add(z, odd, 0.4035214570733574)
    odd = mul_add(z, odd, 1.5487516450950924)
    s = mul_add(t, odd, even)
    return p, mul_add(t, p, s)


@primitive
def normal_quotient(t):
    """p, n = t p and d with Phi(-t) = exp(-t^2/2) p/d for t >= 0: d = sqrt(2 pi) n + 1 + t s; fit NORMAL_F64.

    q is -2 (p - 1/2)/t: the square is that of the exponent, and near 0 n is rounded once.
    """
    z = t * t
    even = mul_add(z, -1.72501770078612e-05, -0.0024243941606488335)
    even = mul_add(z, even, -0.07928059454761976)
    even = mul_add(z, even, -0.7615181296530575)
    even = mul_add(z, even, -1.6940445536563091)
    odd = mul_add(z, -5.752024400811516e-07, -0.00025544003606212004)
    odd = mul_add(z, odd, -0.016200357559419783)
    odd = mul_add(z, odd, -0.28724832514675813)
    odd = mul_add(z, odd, -1.4193913200179291)
    q = mul_add(t, odd, even)
    even = mul_add(z, 2.1619890726022787e-05, 0.002995287742928709)
    even = mul_add(z, even, 0.0935026778741884)
    even = mul_add(z, even, 0.7844930987202567)
    odd = mul_add(z, 7.209093499145998e-07, 0.0003187047887995648)
    odd = mul_add(z, odd, 0.019671051326963132)
    odd = mul_add(z, odd, 0.32255137011169244)
    odd = mul_add(z, odd, 1.2386149771436747)
    s = mul_add(t, even, odd)
    h = -0.5 * t
    n = mul_add(h * t, q, -h)
    return mul_add(h, q, 0.5), n, 1.0 + mul_add(n, 2.5066282746310007, t * s)


@primitive
def erf_unit(x):
    """erf(x) - x for 0 <= x <= 1: x P(x^2), fit ERF_F64."""
    z = x * x
    w = z * z
    even = mul_add(w, 1.3619181763016701e-08, 1.6444391451994332e-06)
    even = mul_add(w, even, 0.0001205528235117169)
    even = mul_add(w, even, 0.00522397759879216)
    even = mul_add(w, even, 0.11283791670939389)
    even = mul_add(w, even, 0.12837916709551256)
    odd = mul_add(w, -7.60783348389087e-10, -1.6185176323296032e-07)
    odd = mul_add(w, odd, -1.4924492789099411e-05)
    odd = mul_add(w, odd, -0.0008548325563814105)
    odd = mul_add(w, odd, -0.02686617064227116)
    odd = mul_add(w, odd, -0.37612638903183415)
    p = mul_add(z, odd, even)
    return x * p


@primitive
def square_scale(a, b):
    """f and 1/f, a power of two for which (a f)^2 + b f^2 neither overflows nor loses digits: 2^-600, 1 or 2^500."""
    small = (a < 3.8725919148493183e-121) & (b < 1.499696813895631e-241)
    large = a > 3.273390607896142e+150
    f = select(large, 2.409919865102884e-181, select(small, 3.273390607896142e+150, 1.0))
    return f, select(large, 4.149515568880993e+180, select(small, 3.054936363499605e-151, 1.0))
