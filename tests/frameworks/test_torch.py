"""fastact.torch: values and gradients of every function against fastact itself, torch's own and differences."""

import pickle

import numpy as np
import pytest
from helpers import NAMES, assert_same_bits, run_python

import fastact as fa

torch = pytest.importorskip("torch")
import fastact.torch as ft  # noqa: E402


@pytest.fixture(autouse=True)
def gradients():
    """Whatever another test of this process has set."""
    with torch.enable_grad():
        yield


ROWS = ["softmax", "log_softmax", "softmin", "log_softmin", "softmax1", "logsumexp", "logmeanexp", "hardmax", "sparsemax",
        "entmax15", "entmax"]  # fmt: skip
GATED = ["glu", "bilinear", "reglu", "geglu", "swiglu", "seglu"]
TORCH = {
    **{n: n for n in ("gelu", "silu", "relu", "mish", "elu", "selu", "celu", "softsign", "softplus", "leaky_relu", "sigmoid",
                      "tanh", "relu6")},
    "hard_swish": "hardswish", "hard_sigmoid": "hardsigmoid", "hard_tanh": "hardtanh", "log_sigmoid": "logsigmoid",
    "soft_shrink": "softshrink", "tanh_shrink": "tanhshrink",
}  # fmt: skip
#: Tails, and what is no number.
EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 300.0, -300.0, 0.7, -1.3]


def points(name, dtype=torch.float64):
    """Points away from the kinks of a function, where it is differentiable and differences are exact enough."""
    x = torch.tensor([[-2.3, -1.17, -0.46, -0.13], [0.21, 0.33, 1.44, 2.6], [-0.29, 0.77, -1.6, 0.11]], dtype=dtype)
    return (x.abs() + 0.1 if name == "log1mexp" else x).requires_grad_()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_same_bits(name, dtype):
    x = torch.tensor(EDGES * 3, dtype=dtype)
    f = getattr(fa, name)
    for given in (x, x[::2], x.reshape(3, 11).T, x[:0], x[2], x.clone().requires_grad_()):
        array = given.detach().numpy()
        got = getattr(ft, name)(given)
        assert got.dtype is dtype
        assert_same_bits(got.detach().numpy(), np.asarray(f(array)))
    given = x.clone().requires_grad_()
    getattr(ft, name)(given).backward(torch.full_like(given, -1.5))
    assert_same_bits(given.grad.numpy(), f.backward(np.full(len(x), -1.5, x.numpy().dtype), x.numpy()))


@pytest.mark.parametrize("name", NAMES)
def test_derivatives(name):
    function = getattr(ft, name)
    x = points(name)
    smooth = name not in ("step", "sign")
    assert torch.autograd.gradcheck(function, (x,))
    assert not smooth or torch.autograd.gradgradcheck(function, (x,))
    if fa.get(name).params:
        values = [p + 0.01 for p in fa.get(name).params.values()]
        given = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
        assert torch.autograd.gradcheck(function, (x, *given)) or name == "step"


@pytest.mark.parametrize("name", sorted(TORCH))
def test_as_torch(name):
    theirs = getattr(torch.nn.functional, TORCH[name], None) or getattr(torch, TORCH[name])
    x = points(name)
    torch.testing.assert_close(getattr(ft, name)(x), theirs(x))
    slopes = [torch.autograd.grad(f(x).square().sum(), x)[0] for f in (getattr(ft, name), theirs)]
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("name", ROWS)
def test_rows(name):
    function, x = getattr(ft, name), points(name)
    for how in ({}, {"dim": 0}, {"dim": (0, 1)}, {"dim": None}, {"temperature": 0.7}):
        own = {"axis" if k == "dim" else k: v for k, v in how.items()}
        assert_same_bits(np.asarray(function(x, **how).detach()), np.asarray(getattr(fa, name)(x.detach().numpy(), **own)))
        assert torch.autograd.gradcheck(lambda v, how=how: function(v, **how), (x,))
        assert torch.autograd.gradgradcheck(lambda v, how=how: function(v, **how), (x,))
    temperature = torch.tensor([0.5, 1.1, 2.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v, t: function(v, temperature=t), (x, temperature))
    keep = torch.tensor([True, False, True, True])
    masked = function(x, where=keep)
    assert_same_bits(masked.detach().numpy(), getattr(fa, name)(x.detach().numpy(), where=keep.numpy()))
    finite = masked if masked.isfinite().all() else masked[:, keep]
    (slope,) = torch.autograd.grad(finite.square().sum(), x)
    alone = x.detach()[:, keep].requires_grad_()
    (want,) = torch.autograd.grad(function(alone).square().sum() if name != "logmeanexp" else finite.square().sum() * 0, alone,
                                  allow_unused=True)  # fmt: skip
    assert (slope[:, 1] == 0).all()
    if want is not None:
        torch.testing.assert_close(slope[:, keep], want)


def test_entmax_learns_alpha():
    alpha = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ft.entmax, (points(""), alpha))
    assert torch.autograd.gradgradcheck(lambda v: ft.entmax(v, alpha.detach()), (points(""),))


@pytest.mark.parametrize("name", GATED)
def test_gated(name):
    function, x = getattr(ft, name), points(name)
    y = (points(name).detach() * 0.7 + 0.2).requires_grad_()
    pair = x[:2].detach().requires_grad_()
    for call, given in ((function, (x, y)), (function, (x,)), (lambda v: function(v.T, dim=1)[:, :1], (pair,))):
        assert torch.autograd.gradcheck(call, given)
        assert torch.autograd.gradgradcheck(call, given)
    assert_same_bits(function(x).detach().numpy(), getattr(fa, name)(x.detach().numpy()))
    assert_same_bits(function(x, y[0]).detach().numpy(), getattr(fa, name)(x.detach().numpy(), y[0].detach().numpy()))


def test_swiglu_of_gpt_oss():
    how = {"limit": 1.2, "alpha": 1.702, "offset": 1.0, "interleaved": True}
    x = points("")
    assert_same_bits(ft.swiglu(x, **how).detach().numpy(), fa.swiglu(x.detach().numpy(), **how))
    assert torch.autograd.gradcheck(lambda v: ft.swiglu(v, **how), (x,))
    assert torch.autograd.gradgradcheck(lambda v: ft.swiglu(v, **how), (x,))


def test_bfloat16():
    """Through float32, rounded once."""
    x = torch.linspace(-6, 6, 1000).bfloat16()
    for function in (ft.gelu, ft.softmax, ft.swiglu, lambda v: ft.elu(v, alpha=torch.tensor(0.3))):
        y = function(x)
        assert y.dtype is torch.bfloat16
        assert torch.equal(y, function(x.float()).bfloat16())
    x.requires_grad_()
    ft.gelu(x).sum().backward()
    assert x.grad.dtype is torch.bfloat16
    assert torch.equal(x.grad, torch.from_numpy(fa.gelu.derivative(x.detach().float().numpy())).bfloat16())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_ways_that_tensors_take(dtype):
    """Small ones and large ones, plain and not, with gradients and without."""
    for rows in (3, 200):
        x = torch.linspace(-4, 4, rows * 100).reshape(rows, 100).to(dtype)
        wide, learnt = x.t().contiguous().t(), x.clone().requires_grad_()
        calls = [
            ft.gelu, lambda v: ft.elu(v, 0.5), lambda v: ft.elu(v, alpha=1.5), ft.softmax, lambda v: ft.log_softmax(v, 0),
            lambda v: ft.softmax(v, temperature=0.5), ft.logsumexp, lambda v: ft.logsumexp(v, 0, keepdim=True), ft.swiglu,
            lambda v: ft.glu(v, dim=1), lambda v: ft.geglu(v, v.flip(0).contiguous()), lambda v: ft.swiglu(v, limit=2.0),
        ]  # fmt: skip
        for call in calls:
            y = call(x)
            assert y.dtype is dtype
            torch.testing.assert_close(call(wide), y)  # rows whose elements lie apart are summed in another order
            assert torch.equal(call(learnt), y)
            weights = torch.linspace(-1, 2, y.numel()).reshape(y.shape).to(dtype)
            slopes = [torch.autograd.grad((call(v) * weights).sum(), v) for v in (learnt, wide.clone().requires_grad_())]
            torch.testing.assert_close(*slopes)


def test_half_with_a_learnt_parameter():
    x, weight = torch.randn(5, 3).half(), torch.nn.Parameter(torch.tensor([0.1, 0.2, 0.3]))
    y = ft.prelu(x, weight)
    assert y.dtype is torch.float16
    y.sum().backward()
    torch.testing.assert_close(weight.grad, torch.where(x < 0, x, 0).float().sum(0), rtol=1e-3, atol=1e-3)


def test_no_copies():
    x = torch.randn(1 << 16)
    seen = []
    double = fa.gelu
    from fastact.torch import bridge

    bridge.compute(lambda a: seen.append(a.ctypes.data) or double(a), (x,), ())
    assert seen == [x.data_ptr()]


def test_views_and_changes_in_place():
    x = torch.randn(4, 6, requires_grad=True)
    y = ft.tanh(x.T[1:4])
    y.sum().backward()
    want = np.zeros((4, 6), np.float32)
    want[:, 1:4] = fa.tanh.derivative(x.detach().numpy()[:, 1:4])
    assert_same_bits(x.grad.numpy(), want)
    h = x * 1
    y = ft.gelu(h)
    h.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    with torch.no_grad():
        assert not ft.gelu(x).requires_grad
    with torch.inference_mode():
        assert ft.gelu(x).is_inference()


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_a_single_number(name):
    for dim in (-1, 0, None, np.int64(0)):
        for x in (torch.tensor(1.5), torch.tensor(1.5, dtype=torch.float64, requires_grad=True)):
            y = getattr(ft, name)(x, dim=dim)
            assert y.shape == ()
            assert_same_bits(y.detach().numpy(), np.asarray(getattr(fa, name)(x.detach().numpy())))
    slope = torch.autograd.grad(y, x)[0]
    want = {"logsumexp": 1.0, "logmeanexp": 1.0, "softmax1": fa.sigmoid(1.5) * fa.sigmoid(-1.5)}.get(name, 0.0)
    torch.testing.assert_close(slope, torch.tensor(want, dtype=torch.float64))


def test_autocast_leaves_dtypes():
    x = torch.randn(3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert ft.gelu(x).dtype is torch.float32
        assert ft.gelu(x @ x).dtype is torch.bfloat16


def test_refused():
    x = torch.randn(3, 4)
    for call, error, words in [
        (lambda: ft.gelu(torch.arange(3)), TypeError, "fastact.torch.gelu: x has dtype torch.int64; expected float16"),
        (lambda: ft.gelu(np.ones(3)), TypeError, "x is ndarray; expected a torch.Tensor"),
        (lambda: ft.elu(x, "a"), TypeError, "alpha is 'a'; expected a number or a torch.Tensor"),
        (lambda: ft.elu(x, torch.ones(3, dtype=torch.int32)), TypeError, "fastact.torch.elu: alpha has dtype torch.int32"),
        (lambda: ft.elu(x, torch.ones(3)), ValueError, r"x has shape \(3, 4\) and alpha \(3,\); they do not broadcast"),
        (lambda: ft.elu(x, torch.ones(4, device="meta")), ValueError, "alpha is on meta, x on cpu"),
        (lambda: ft.elu(x, beta=1), TypeError, "fastact.torch.elu: there is no keyword|unexpected keyword"),
        (lambda: ft.softmax(x, dim=2), ValueError, "dim is 2; expected one of the 2 dimensions"),
        (lambda: ft.softmax(x, dim=(0, -2)), ValueError, "names a dimension twice"),
        (lambda: ft.softmax(x, dim=0.5), TypeError, "dim is 0.5; expected an int"),
        (lambda: ft.softmax(x, temperature=-1.0), ValueError, "temperature is -1.0"),
        (lambda: ft.softmax(x, temperature=torch.ones(7)), ValueError, r"temperature has shape \(7, 1\)"),
        (lambda: ft.softmax(x, where=x), TypeError, "where has dtype torch.float32; expected a torch.Tensor of bool"),
        (lambda: ft.swiglu(x[:, :3]), ValueError, r"a has shape \(3, 3\); expected an even length along its last"),
        (lambda: ft.swiglu(x[0, 0]), ValueError, "dim is -1; expected one of the 0 dimensions"),
        (lambda: ft.softmax(x, dim=()), ValueError, r"fastact.torch.softmax: dim is \(\); expected one dimension or several"),
        (lambda: ft.logsumexp(x[0, 0], dim=1), ValueError, "dim is 1; expected one of the 1 dimensions"),
        (lambda: ft.elu(x, out=x), TypeError, "unexpected keyword 'out'; known are x, alpha$"),
        (lambda: ft.ELU(1.0, 2.0), TypeError, "fastact.torch.ELU: too many positional arguments; expected alpha"),
        (lambda: ft.swiglu(x, x.double()), TypeError, "a has dtype torch.float32, b torch.float64"),
        (lambda: ft.swiglu(x, x[:, :3]), ValueError, "do not broadcast"),
        (lambda: ft.swiglu(x, alpha=torch.ones(())), TypeError, "numbers here"),
        (lambda: ft.glu(x, limit=3), TypeError, "there is no keyword 'limit'"),
        (lambda: ft.function("maxout"), TypeError, "there is no maxout of tensors"),
        (lambda: ft.gleu, AttributeError, "did you mean"),
        (lambda: ft.ELU(learn=["beta"]), ValueError, "learn has 'beta'; expected some of alpha"),
    ]:  # fmt: skip
        with pytest.raises(error, match=words):
            call()


@pytest.mark.parametrize("name", [n for n in NAMES if fa.get(n).params])
def test_second_derivatives_by_parameters(name):
    """By x and a parameter, and by two of these; each function with parameters that there is."""
    x, values = points(name), [p + 0.01 for p in fa.get(name).params.values()]
    given = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values]
    assert torch.autograd.gradgradcheck(getattr(ft, name), (x, *given), fast_mode=True)
    far = torch.tensor([-1e4, -800.0, -50.0, 50.0, 800.0, 1e4], dtype=torch.float64, requires_grad=True)
    slopes = torch.autograd.grad(getattr(ft, name)(far, *given).sum(), (far, *given), create_graph=True)
    total = sum(s.square().sum() for s in slopes)
    found = torch.autograd.grad(total, (far, *given), allow_unused=True)
    assert all(f is None or f.isfinite().all() for f in found)


def test_gradient_penalty():
    """Through weights for each channel that are learnt, in float32 and half."""
    weight = torch.tensor([0.1, 0.25, 0.4, 0.3], dtype=torch.float64, requires_grad=True)
    for function in (ft.prelu, ft.elu, ft.silu):
        assert torch.autograd.gradgradcheck(function, (points(""), weight))
    x, w = torch.linspace(-3, 3, 12).reshape(3, 4), weight.detach().float().requires_grad_()
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        given = x.to(dtype).requires_grad_()
        (slope,) = torch.autograd.grad(ft.prelu(given, w).sum(), given, create_graph=True)
        (by_weight,) = torch.autograd.grad(slope.sum(), w)
        assert by_weight.dtype is torch.float32
        assert torch.equal(by_weight, (x <= 0).sum(0).float())
    penalty = lambda v, w: torch.func.grad(lambda u: ft.elu(u, w).square().sum())(v).square().sum()  # noqa: E731
    theirs = lambda v, w: torch.where(v > 0, 4 * v * v, 4 * (w * torch.expm1(v) * w * torch.exp(v)) ** 2).sum()  # noqa: E731
    given = torch.linspace(-2, 2, 4, dtype=torch.float64), weight.detach()
    torch.testing.assert_close(torch.func.grad(penalty, 1)(*given), torch.func.grad(theirs, 1)(*given))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_third_derivatives_are_refused(name):
    """Say so, instead of a gradient that is 0."""
    x = points(name)
    slope = getattr(ft, name)(x)
    for _ in range(2):
        (slope,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match=rf"fastact.torch.{name}: third derivatives by x"):
        torch.autograd.grad(slope.sum(), x)


def test_orders_that_are_not_there():
    pytest.importorskip("numba")
    x, k = points(""), torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    swish = ft.function(fa.define("x * sigmoid(k * x)", params={"k": 1.5}, name="swish_of_the_orders_test"))
    (slope,) = torch.autograd.grad(swish(x, k).square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match=r"fastact.torch.swish_of_the_orders_test: second .* by parameters \(k\)"):
        torch.autograd.grad(slope.sum(), k)
    temperature = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(ft.softmax(x, temperature=temperature).square().sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match=r"fastact.torch.softmax: derivatives by x and by temperature"):
        torch.autograd.grad(slope.sum(), temperature)
    (slope,) = torch.autograd.grad(ft.softmax(x, temperature=temperature).square().sum(), temperature, create_graph=True)
    with pytest.raises(NotImplementedError, match=r"fastact.torch.softmax: second derivatives by temperature"):
        torch.autograd.grad(slope, x)


def test_modules():
    assert repr(ft.LeakyReLU(0.2)) == "LeakyReLU(negative_slope=0.2)"
    assert repr(ft.Softmax(dim=0)) == "Softmax(dim=0)"
    assert ft.SwiGLU is ft.Swiglu
    assert ft.HardSwish is ft.Hardswish
    assert {"GELU", "gelu", "PReLU", "Softmax1", "swiglu"} <= set(dir(ft))
    x = torch.randn(6, 4)
    for name in [*NAMES, *ROWS, *GATED]:
        module = ft.module(name)()
        again = pickle.loads(pickle.dumps(module))
        given = x.abs() if name == "log1mexp" else x
        assert torch.equal(module(given), getattr(ft, name)(given))
        assert torch.equal(again(given), module(given))
        assert bool(list(module.parameters())) == bool(name in NAMES and fa.get(name).spec.trained)


def test_learnt_weight():
    """PReLU learns what torch's learns."""
    torch.manual_seed(0)
    x, wanted = torch.randn(64, 5), torch.randn(64, 5)
    runs = []
    for module in (ft.PReLU(), torch.nn.PReLU()):
        net = torch.nn.Sequential(torch.nn.Linear(5, 5), module)
        net[0].weight.data[:] = torch.eye(5)
        net[0].bias.data[:] = 0
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(20):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(net(x), wanted).backward()
            optimiser.step()
        runs.append((module.weight.item(), net[0].weight.detach()))
    assert runs[0][0] != 0.25
    torch.testing.assert_close(*(r[0] for r in runs), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(*(r[1] for r in runs))
    module = ft.PReLU()
    module.load_state_dict({"weight": torch.tensor([0.5])})  # of torch's module
    assert module.weight.item() == 0.5
    learnt = ft.SiLU(beta=1.5, learn=["beta"])
    learnt(x).sum().backward()
    assert learnt.beta.grad is not None
    assert ft.ELU(torch.ones(5)).state_dict().keys() == {"alpha"}


def test_defined_functions():
    pytest.importorskip("numba")
    swish = fa.define("x * sigmoid(k * x)", params={"k": 1.5}, name="swish_of_the_torch_test")
    function, x = ft.function(swish), points("")
    assert torch.autograd.gradcheck(function, (x,))
    torch.testing.assert_close(function(x, k=2.0), x * torch.sigmoid(2 * x))
    assert torch.equal(ft.module(swish)(k=2.0)(x), function(x, 2.0))


def test_import_of_fastact_is_free_of_it():
    found = run_python("import sys, fastact; print('torch' in sys.modules, fastact.torch.__name__, 'torch' in sys.modules)")
    assert found.stdout.split() == ["False", "fastact.torch", "True"], found.stderr
    found = run_python("import sys; sys.modules['torch'] = None; import fastact.torch")
    assert "pip install 'fastact[torch]'" in found.stderr
