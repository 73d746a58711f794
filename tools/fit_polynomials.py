"""Minimax fits behind the constants of fastact's primitives.

``python tools/fit_polynomials.py [name ...]`` prints every constant (or those whose name starts
with an argument) as Python literals that round-trip.  Needs numpy, scipy and mpmath.

A fit is ``f(x) ~ base(x) + factor(x) * P(v) / Q(v)`` with v = v(x), where Q is 1, or
q0 + q1*v + ..., or (linked by c) c*v*P(v) + S(v).  It minimises the largest relative error of the *final*
function f.  The residual is computed with 60 digits; its linearisation is a linear programme in
float64 (coefficients rescaled, basis orthogonalised), solved again until the 60-digit residual
stops falling.  For a polynomial that is iterative refinement, for a rational Gauss-Newton in the
maximum norm; unlike the exchange algorithm it does not care about zeros of the weight, so the
coefficients can then be rounded to the working precision one at a time, the lowest order first,
with the others fitted again after each.
"""

import sys
from dataclasses import dataclass, field
from functools import cache

import mpmath as mp
import numpy as np
from scipy.optimize import linprog

mp.mp.dps = 60
BITS = {"f32": 24, "f64": 53}


def unity(_x):
    """Return 1."""
    return mp.mpf(1)


def zero(_x):
    """Return 0."""
    return mp.mpf(0)


def identity(x):
    """Return x."""
    return x


def square(x):
    """Return x squared."""
    return x * x


def cube(x):
    """Return x cubed."""
    return x**3


@dataclass
class Fit:
    """What to fit: the function, the form, the interval and the degrees per precision.

    `first` is the constant that leads the denominator (or S), `fixed` holds given coefficients,
    `parameter` maps the Chebyshev grid to x; the interval is then that of the grid.
    """

    name: str
    form: str
    f: object
    interval: tuple
    degrees: dict
    base: object = zero
    factor: object = unity
    variable: object = identity
    parameter: object = None
    linked: float = 0
    first: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)


def round_to(value, bits):
    """Round an mpf to the given number of bits, to nearest even."""
    with mp.workprec(bits):
        return +value


def polynomial(coefficients, v):
    """Horner's rule, lowest order first."""
    return mp.polyval(coefficients[::-1], v)


class Problem:
    """A fit on a Chebyshev grid in `parameter` (x itself unless given as a map t -> x)."""

    def __init__(self, fit, interval, degree, first=1):
        self.fit = fit
        self.first = mp.mpf(first)
        degree = degree if isinstance(degree, tuple) else (degree, 0)
        self.n_num, self.n_den = degree[0] + 1, degree[1]
        points = 24 * (sum(degree) + 4)
        lo, hi = (mp.mpf(b) for b in interval)
        nodes = [mp.cos(mp.pi * i / (points - 1)) for i in range(points)]
        xs = [(lo + hi) / 2 - (hi - lo) / 2 * c for c in nodes]
        xs = [fit.parameter(x) for x in xs] if fit.parameter else xs
        xs = [x for x in xs if fit.factor(x) != 0 and fit.f(x) != 0]
        self.v = [mp.mpf(fit.variable(x)) for x in xs]
        f = [mp.mpf(fit.f(x)) for x in xs]
        self.factor = [fit.factor(x) / y for x, y in zip(xs, f, strict=True)]
        self.target = [(y - fit.base(x)) / y for x, y in zip(xs, f, strict=True)]

    def split(self, c):
        """Numerator and denominator coefficients (the denominator's first put in)."""
        return list(c[: self.n_num]), [self.first, *c[self.n_num :]]

    def rational(self, c, v):
        """Values of P/Q and of 1/Q at v."""
        num, den = self.split(c)
        p = polynomial(num, v)
        q = polynomial(den, v) + self.fit.linked * v * p
        return p / q, 1 / q

    def residual(self, c):
        """Relative error of f at the grid points."""
        values = zip(self.v, self.target, self.factor, strict=True)
        return [t - g * self.rational(c, v)[0] for v, t, g in values]

    def jacobian(self, c):
        """Derivative of the model by each coefficient, float64."""
        rows = []
        for v, g in zip(self.v, self.factor, strict=True):
            r, inverse = self.rational(c, v)
            top = g * inverse * (1 - self.fit.linked * v * r)
            bottom = -g * inverse * r
            powers = [v**k for k in range(max(self.n_num, self.n_den + 1))]
            row = [top * p for p in powers[: self.n_num]]
            rows.append(row + [bottom * p for p in powers[1 : self.n_den + 1]])
        return np.array(rows, dtype=float)

    def start(self):
        """Least-squares start from the linear equation target*Q = factor*P."""
        rows, right = [], []
        step = max(1, len(self.v) // (3 * (self.n_num + self.n_den)))
        for v, g, t in list(zip(self.v, self.factor, self.target, strict=True))[::step]:
            damp = 1 / (1 + abs(v)) ** self.n_den
            top = damp * (g - self.fit.linked * v * t)
            row = [top * v**k for k in range(self.n_num)]
            rows.append(row + [-damp * t * v**k for k in range(1, self.n_den + 1)])
            right.append(t * damp * self.first)
        return list(mp.lu_solve(mp.matrix(rows), mp.matrix(right)))

    def improve(self, c, free, steps):
        """Minimise the maximum residual over the free coefficients."""
        best, best_error = c, max(abs(r) for r in self.residual(c))
        for _ in range(steps if free else 0):
            residual = self.residual(best)
            norm = max(abs(r) for r in residual)
            r = np.array([x / norm for x in residual], dtype=float)
            jac = self.jacobian(best)[:, free]
            lengths = np.abs(jac).max(axis=0)
            q, triangle = np.linalg.qr(jac / lengths)
            q *= np.sqrt(len(r))
            n = len(free)
            a = np.vstack([np.c_[-q, -np.ones(len(r))], np.c_[q, -np.ones(len(r))]])
            cost, bounds = [0.0] * n + [1.0], [(None, None)] * n + [(0, None)]
            answer = linprog(cost, A_ub=a, b_ub=np.r_[-r, r], bounds=bounds, method="highs")
            if answer.x is None:
                break
            delta = np.linalg.solve(triangle, answer.x[:n] * np.sqrt(len(r))) / lengths
            for shrink in (1, 0.25, 0.05):
                trial = list(best)
                for j, k in enumerate(free):
                    trial[k] = best[k] + norm * mp.mpf(float(delta[j])) * shrink
                error = max(abs(x) for x in self.residual(trial))
                if error < best_error:
                    break
            if error >= best_error:
                break
            gain, best, best_error = error / best_error, trial, error
            if gain > 0.999999:
                break
        return best, best_error


def solve(fit, interval, degree, bits, first):
    """Fit, then round one coefficient at a time; return coefficients and both errors."""
    problem = Problem(fit, interval, degree, first)
    total = problem.n_num + problem.n_den
    c = problem.start()
    known = {k: mp.mpf(v) for k, v in fit.fixed.items()}
    for k, value in known.items():
        c[k] = value
    free = [k for k in range(total) if k not in known]
    c, ideal = problem.improve(c, free, 40 if problem.n_den else 8)
    while free:
        k = free.pop(0)
        c = list(c)
        c[k] = round_to(c[k], bits)
        c, _ = problem.improve(c, free, 12)
    reached = max(abs(r) for r in problem.residual(c))
    return problem.split(c), ideal, reached


def literal(value, precision):
    """The shortest text that gives this float back in the given precision."""
    number = np.float32(float(value)) if precision == "f32" else np.float64(float(value))
    return str(number) if number != 1 else "1.0"


def show(fit, precision):
    """Fit in one precision and print the result."""
    bits = BITS[precision]
    (num, den), ideal, reached = solve_named(fit.name, precision)
    interval = fit.interval[precision] if isinstance(fit.interval, dict) else fit.interval
    print(f"# {fit.name} {precision}: {fit.form}")
    interval = [fit.parameter(b) for b in interval] if fit.parameter else interval
    print(
        f"#   on [{mp.nstr(mp.mpf(interval[0]), 8)}, {mp.nstr(mp.mpf(interval[1]), 8)}]:"
        f" 2^{float(mp.log(reached, 2)):.2f} = {float(reached * 2**bits):.4f} ULP"
        f" (unrounded 2^{float(mp.log(ideal, 2)):.2f})"
    )
    name = f"{fit.name}_{precision}".upper()
    for suffix, values in (("", num), ("_DEN", den if len(den) > 1 else [])):
        if values:
            body = ",\n    ".join(literal(v, precision) for v in values)
            print(f"{name}{suffix} = [\n    {body},\n]")


def half(x):
    """The argument x/(2+x) of the atanh series."""
    return x / (2 + x)


@cache
def mills(t):
    """Mills' ratio Phi(-t)/phi(t)."""
    return mp.sqrt(mp.pi / 2) * mp.erfc(t / mp.sqrt(2)) * mp.exp(t * t / 2)


HALF_LN2 = mp.mpf("0.34675")  # ln2/2 = 0.34657..., widened for the rounding of k
ROOT2 = mp.sqrt(2)


@cache
def solve_named(name, precision):
    """Fit by name: ((numerator, denominator), unrounded error, error), remembered."""
    fit = next(f for f in FITS if f.name == name and precision in f.degrees)
    interval = fit.interval[precision] if isinstance(fit.interval, dict) else fit.interval
    first = fit.first.get(precision, 1)
    return solve(fit, interval, fit.degrees[precision], BITS[precision], first)


def normal_ratio(t):
    """Phi(-t) / exp(-t^2/2), the Mills ratio over sqrt(2 pi)."""
    return PHI_0 * mills(t)


def mills_t(u):
    """Chebyshev parameter -> t for functions on [0, large]."""
    return mp.mpf("2.5") * (1 + u) / (1 - u)


def half_weight(u):
    """How much of a relative error of t = tanh(u) is left in 2t/(1 + t^2)."""
    t = mp.tanh(u)
    return (1 - t * t) / (1 + t * t)


def half_tanh(u):
    """tanh(u) over that, so that its error counts as much."""
    return mp.tanh(u) / half_weight(u)


def half_tanh_base(u):
    """What leaves tanh(u) to the quotient."""
    return half_tanh(u) - mp.tanh(u)


def celu_part(z):
    """Partial derivative of celu by alpha: expm1(z) - z*exp(z)."""
    return mp.expm1(z) - z * mp.exp(z)


def xielu_part(x):
    """Partial derivative of xielu by alpha_n: expm1(x) - x."""
    return mp.expm1(x) - x


def softcap_part(x):
    """Partial derivative of softcap by the cap: tanh(x) - x*sech(x)^2."""
    return mp.tanh(x) - x * mp.sech(x) ** 2


def snake_part(u):
    """Partial derivative of snake by a, times a*a: u*sin(2u) - sin(u)^2."""
    return u * mp.sin(2 * u) - mp.sin(u) ** 2


PHI_0 = 1 / mp.sqrt(2 * mp.pi)
LINK = {precision: round_to(1 / PHI_0, bits) for precision, bits in BITS.items()}
QUARTER = mp.mpf("0.7854")  # pi/4 = 0.785398..., widened for the rounding of the reduction
MILLS_RANGE = {"f32": (-1, mp.mpf("0.7119")), "f64": (-1, mp.mpf("0.8808"))}  # of u in mills_t

# fmt: off
FITS = [
    Fit("exp", "exp(r) = 1 + r + r*r*P(r), error relative to exp",
        mp.exp, (-HALF_LN2, HALF_LN2), {"f32": 4, "f64": 9}, base=lambda r: 1 + r, factor=square),
    Fit("exp2", "2^f = 1 + f*P(f), |f| <= 1/2, widened for the rounding of the reduction",
        lambda f: mp.mpf(2) ** f, (mp.mpf("-0.5002"), mp.mpf("0.5002")), {"f32": 5}, base=unity, factor=identity),
    Fit("log1p", "log1p(e) = e - e*e/2 + e*e*e*P(e), e in [0, 1]",
        mp.log1p, (0, 1), {"f32": 7, "f64": 18}, base=lambda e: e - e * e / 2, factor=cube),
    Fit("log_atanh", "log(1+f) = 2s + s*s*s*P(s*s), s = f/(2+f), 1+f in [sqrt(1/2), sqrt(2)]",
        mp.log1p, (0, ROOT2 - 1), {"f32": 2, "f64": 6}, base=lambda x: 2 * half(x),
        factor=lambda x: half(x) ** 3, variable=lambda x: half(x) ** 2),
    Fit("mills", "Phi(-t)/phi(t) = P(t)/(t*P(t) + S(t)), S is ..._DEN", mills, MILLS_RANGE,
        {"f32": (5, 4), "f64": (10, 9)}, linked=1, first={"f64": 1.25}, parameter=mills_t),
    *(Fit("normal", "Phi(-t)/exp(-t*t/2) = P(t)/(c*t*P(t) + S(t)), c = sqrt(2 pi) rounded, S is ..._DEN",
          normal_ratio, MILLS_RANGE, {precision: degree},
          linked=LINK[precision], fixed={0: 0.5}, parameter=mills_t)
      for precision, degree in (("f32", (5, 4)), ("f64", (10, 9)))),
    Fit("erf", "erf(x) = x + x*P(x*x), 0 <= x <= 1",
        mp.erf, (0, 1), {"f32": 6, "f64": 11}, base=identity, factor=identity, variable=square),
    Fit("tanh", "tanh(x) = x + x*x*x*P(x*x), |x| <= 0.75",
        mp.tanh, (0, mp.mpf("0.75")), {"f32": 6, "f64": 14}, base=identity, factor=cube, variable=square),
    Fit("tanh_half", "tanh(u) = u*P(u*u)/Q(u*u), 0 <= u <= 4.51, error relative to tanh(2u) as 2t/(1 + t*t) has it",
        half_tanh, (0, mp.mpf("4.51")), {"f32": (2, 3)}, base=half_tanh_base, factor=identity, variable=square),
    Fit("tanh_shrink", "x - tanh(x) = x*x*x*P(x*x)/Q(x*x), |x| <= 1",
        lambda x: x - mp.tanh(x), (0, 1), {"f32": (1, 2), "f64": (3, 3)},
        factor=cube, variable=square, fixed={0: 1}, first={"f32": 3, "f64": 3}),
    Fit("sin", "sin(r) = r + r*r*r*P(r*r), |r| <= pi/4",
        mp.sin, (0, QUARTER), {"f32": 2, "f64": 5}, base=identity, factor=cube, variable=square),
    Fit("atan", "atan(x) = x + x*x*x*P(x*x), |x| <= 1",
        mp.atan, (0, 1), {"f32": 8, "f64": 19}, base=identity, factor=cube, variable=square),
    Fit("celu_part", "expm1(z) - z*exp(z) = z*z*P(z), -1 <= z <= 0",
        celu_part, (-1, 0), {"f32": 6, "f64": 12}, factor=square),
    Fit("xielu_part", "expm1(x) - x = x*x*P(x), -1 <= x <= 0",
        xielu_part, (-1, 0), {"f32": 5, "f64": 11}, factor=square),
    Fit("softcap_part", "tanh(x) - x*sech(x)^2 = x**3*P(x*x), 0 <= x <= 0.75", softcap_part,
        (0, mp.mpf("0.75")), {"f32": 6, "f64": 14}, factor=cube, variable=square),
    Fit("snake_part", "u*sin(2u) - sin(u)^2 = u*u + u**4*P(u*u), |u| <= pi/4", snake_part,
        (0, QUARTER), {"f32": 3, "f64": 7}, base=square, factor=lambda u: u**4, variable=square),
]
# fmt: on


def parts(value, bits, count):
    """The value as a sum of that many floats, each rounded to nearest from the rest."""
    out = []
    for k in range(count):
        out.append(round_to(value, bits[k] if isinstance(bits, tuple) else bits))
        value -= out[-1]
    return out


def show_constants(precision):
    """Split ln 2 for Cody and Waite's reduction, 1/ln 2, and the coefficients of gelu_tanh's exponent in base 2."""
    bits = BITS[precision]
    short = {"f32": 15, "f64": 41}[precision]
    table = {"ln2": parts(mp.log(2), (short, bits), 2), "log2e": parts(1 / mp.log(2), bits, 1)}
    if precision == "f32":
        a = 2 * mp.sqrt(2 / mp.pi) / mp.log(2)
        table |= {"gelu_tanh_a": parts(a, (22, bits), 2), "gelu_tanh_b": parts(a * mp.mpf("0.044715"), bits, 2)}
    for name, values in table.items():
        body = ", ".join(literal(v, precision) for v in values)
        print(f"{name.upper()}_{precision.upper()} = [{body}]")


def show_reduction(precision):
    """Windows of 1/(2 pi), four floats each, for the reduction of any finite argument.

    Row 0 serves |x| < threshold[0]; row i serves threshold[i-1] <= |x|, is scaled by 2**shift and
    is to be multiplied by x * 2**-shift.  Leading bits dropped from a row contribute whole turns.
    """
    bits = BITS[precision]
    first, step, count, shift = {"f32": (62, 39, 3, 64), "f64": (150, 98, 10, 512)}[precision]
    with mp.workprec(1600):
        turn = 1 / (2 * mp.pi)
        rows = [parts(turn, bits, 4)]
        for i in range(count - 1):
            start = first + step * i - (bits - 1)
            rest = mp.ldexp(turn, start)
            rows.append(parts(mp.ldexp(rest - mp.nint(rest), shift - start), bits, 4))
    thresholds = [mp.ldexp(1, first + step * i) for i in range(count - 1)]
    print(f"# turns {precision}: x/(2 pi) mod 1; shift 2^{shift}")
    print(f"TURNS_THRESHOLD_{precision} = [".upper(), end="")
    print(", ".join(literal(v, precision) for v in thresholds) + "]")
    print(f"TURNS_{precision} = [".upper())
    for row in rows:
        print("    [" + ", ".join(literal(v, precision) for v in row) + "],")
    print("]")


def main(arguments):
    """Print the fits whose names start with one of the arguments (all without any)."""
    for fit in FITS:
        if not arguments or any(fit.name.startswith(a) for a in arguments):
            for precision in fit.degrees:
                show(fit, precision)
    for name, action in (("constants", show_constants), ("turns", show_reduction)):
        if not arguments or any(name.startswith(a) for a in arguments):
            for precision in BITS:
                action(precision)


if __name__ == "__main__":
    main(sys.argv[1:])
