"""Primitives whose polynomials are fitted to float64. The fits: tools/fit_polynomials.py."""

from .._atoms import abs, fma, mul_add, pow2_shifted, round_product, scale_by_pow2, select
from .._spec import primitive


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
def sixth(x):
    """x / 6: two products take less time than a division. Both parts of 1/6 are positive, so that -0.0 stays what it is."""
    return fma(x, 0.16666666666666666, x * 9.25185853854297e-18)


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


@primitive
def sin_tail(r):
    """sin(r) - r for |r| <= pi/4: r^3 P(r^2), fit SIN_F64."""
    z = r * r
    p = mul_add(z, 1.5895431416661762e-10, -2.5050734364671856e-08)
    p = mul_add(z, p, 2.7557313538411243e-06)
    p = mul_add(z, p, -0.00019841269829358392)
    p = mul_add(z, p, 0.00833333333332184)
    p = mul_add(z, p, -0.1666666666666663)
    return r * (z * p)


@primitive
def turns_window(a):
    """Digits of 1/(2 pi) in four parts that matter for |x| = a, and the factor for x; fit TURNS_F64.

    The digits before them make whole turns. Rows after the first are scaled by 2^512, and x by its inverse.
    """
    w0 = 1.578161815699516e-113
    w0 = select(a < 1.452164949685335e+281, -3.0686605716984858e-83, w0)
    w0 = select(a < 4.582224626955994e+251, -1.786066619666572e-53, w0)
    w0 = select(a < 1.4458951468586074e+222, 3.68856690567014e-24, w0)
    w0 = select(a < 4.562440617622195e+192, -1126110.7718641735, w0)
    w0 = select(a < 1.439652414253823e+163, -6.257776857994277e+35, w0)
    w0 = select(a < 4.542742026847543e+133, 6.065985231993996e+64, w0)
    w0 = select(a < 1.4334366349937947e+104, -3.508677614432054e+93, w0)
    w0 = select(a < 4.523128485832664e+74, -1.7837754640445005e+123, w0)
    w0 = select(a < 1.42724769270596e+45, 0.15915494309189535, w0)
    w1 = -7.232479751269196e-130
    w1 = select(a < 1.452164949685335e+281, -1.274260656801519e-99, w1)
    w1 = select(a < 4.582224626955994e+251, 1.0874730114377938e-69, w1)
    w1 = select(a < 1.4458951468586074e+222, -2.8550197030672624e-40, w1)
    w1 = select(a < 4.562440617622195e+192, -7.540324526300361e-11, w1)
    w1 = select(a < 1.439652414253823e+163, -5.034868814120038e+18, w1)
    w1 = select(a < 4.542742026847543e+133, 3.667767718563092e+48, w1)
    w1 = select(a < 1.4334366349937947e+104, 4.965742694628591e+76, w1)
    w1 = select(a < 4.523128485832664e+74, 5.7877368591148225e+106, w1)
    w1 = select(a < 1.42724769270596e+45, -9.839338337591243e-18, w1)
    w2 = -6.288350312813818e-147
    w2 = select(a < 1.452164949685335e+281, -5.513890785449051e-116, w2)
    w2 = select(a < 4.582224626955994e+251, -5.863805965008723e-86, w2)
    w2 = select(a < 1.4458951468586074e+222, 2.3547844802423138e-57, w2)
    w2 = select(a < 4.562440617622195e+192, 5.0282403949385166e-27, w2)
    w2 = select(a < 1.439652414253823e+163, 289.22813582645637, w2)
    w2 = select(a < 4.542742026847543e+133, -1.0591434598094825e+32, w2)
    w2 = select(a < 1.4334366349937947e+104, 1.1550252515950291e+60, w2)
    w2 = select(a < 4.523128485832664e+74, 3.17240876859991e+90, w2)
    w2 = select(a < 1.42724769270596e+45, -5.360718141446502e-34, w2)
    w3 = -3.672621529457355e-164
    w3 = select(a < 1.452164949685335e+281, -1.9215206124089764e-132, w3)
    w3 = select(a < 4.582224626955994e+251, -2.687183999988175e-102, w3)
    w3 = select(a < 1.4458951468586074e+222, -5.7447935051737184e-74, w3)
    w3 = select(a < 4.562440617622195e+192, 4.902555952768249e-44, w3)
    w3 = select(a < 1.439652414253823e+163, 2.7971565288628405e-14, w3)
    w3 = select(a < 4.542742026847543e+133, -8851629974564575.0, w3)
    w3 = select(a < 1.4334366349937947e+104, -8.04457296365981e+43, w3)
    w3 = select(a < 4.523128485832664e+74, -9.69863978733912e+73, w3)
    w3 = select(a < 1.42724769270596e+45, 4.026781963297056e-50, w3)
    return w0, w1, w2, w3, select(a < 1.42724769270596e+45, 1.0, 7.458340731200207e-155)


@primitive
def atan_unit(x):
    """atan(x) - x for 0 <= x <= 1: x^3 P(x^2), fit ATAN_F64."""
    z = x * x
    w = z * z
    even = mul_add(w, -0.00015221479861795615, -0.002885660323964195)
    even = mul_add(w, even, -0.013902724428745423)
    even = mul_add(w, even, -0.02990587555386994)
    even = mul_add(w, even, -0.042192475842104525)
    even = mul_add(w, even, -0.052535272471720615)
    even = mul_add(w, even, -0.06666404442036968)
    even = mul_add(w, even, -0.09090907008003356)
    even = mul_add(w, even, -0.1428571428258843)
    odd = mul_add(w, 1.323035743146841e-05, 0.0008315769721302395)
    odd = mul_add(w, odd, 0.007197987039558517)
    odd = mul_add(w, odd, 0.02198723481339588)
    odd = mul_add(w, odd, 0.036643241038296026)
    odd = mul_add(w, odd, 0.04722349911185334)
    odd = mul_add(w, odd, 0.05880529915766605)
    odd = mul_add(w, odd, 0.0769227989127072)
    odd = mul_add(w, odd, 0.11111111007353294)
    p = mul_add(z, odd, even)
    p = mul_add(z, p, 0.19999999999951754)
    p = mul_add(z, p, -0.3333333333333307)
    return x * (z * p)


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
def snake_series(u):
    """(u sin(2u) - sin(u)^2) / u^2 for |u| <= pi/4: 1 + u^2 P(u^2), fit SNAKE_PART_F64."""
    z = u * u
    p = mul_add(z, 3.364836548910358e-10, -2.3478352430132916e-08)
    p = mul_add(z, p, 1.221579680972658e-06)
    p = mul_add(z, p, -4.703115482109696e-05)
    p = mul_add(z, p, 0.0012698412691099083)
    p = mul_add(z, p, -0.022222222222132496)
    p = mul_add(z, p, 0.22222222222221685)
    p = mul_add(z, p, -0.9999999999999999)
    return mul_add(z, p, 1.0)


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
