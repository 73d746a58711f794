"""fastact.torch under torch's compilers and transforms: registered operators, fake tensors, torch.compile, torch.func."""

import pytest

import fastact as fa  # noqa: F401

torch = pytest.importorskip("torch")
import fastact.torch as ft  # noqa: E402
from fastact.torch import bridge  # noqa: E402


@pytest.fixture(autouse=True)
def gradients():
    """Whatever another test of this process has set."""
    with torch.enable_grad():
        yield


ops = torch.ops.fastact
CALLS = {
    "elementwise": ("elu", 1, [0.5], []), "elementwise_backward": ("elu", 2, [0.5], []),
    "elementwise_backward_backward": ("tanh", 3, [], []), "elementwise_parameters": ("pelu", 2, [], []),
    "rows": ("softmax", 1, [1.0], [1]), "rows_backward": ("softmax", 2, [1.0], [1]), "rows_parameters": ("softmax", 2, [], [1]),
    "gated": ("swiglu", 2, [], []), "gated_backward": ("swiglu", 3, [], []),
}  # fmt: skip
TESTS = ("test_schema", "test_autograd_registration", "test_faketensor")


def given(count, kind, **how):
    torch.manual_seed(0)
    layouts = {"plain": lambda t: t, "transposed": lambda t: t.mT.contiguous().mT, "strided": lambda t: t.repeat(1, 2)[:, ::2]}
    return [layouts[kind](torch.randn(4, 6, dtype=torch.float64)).requires_grad_() for _ in range(count)]


def tensors(name):
    if name == "elementwise_parameters":
        return [torch.tensor(0.7, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    return [torch.full((4, 1), 0.7, dtype=torch.float64, requires_grad=True)] if name == "rows_parameters" else []


@pytest.mark.parametrize("kind", ["plain", "transposed", "strided"])
@pytest.mark.parametrize("name", CALLS)
def test_opcheck(name, kind):
    function, count, numbers, dims = CALLS[name]
    arguments = (function, given(count, kind), tensors(name), numbers, dims)
    torch.library.opcheck(getattr(ops, name).default, arguments, test_utils=TESTS)


@pytest.mark.parametrize("name", ["elementwise", "rows", "gated"])
def test_opcheck_of_compilers(name):
    function, count, numbers, dims = CALLS[name]
    torch.library.opcheck(getattr(ops, name).default, (function, given(count, "plain"), [], numbers, dims))


@pytest.mark.parametrize("name", ["elementwise", "rows", "gated"])
def test_opcheck_of_other_forms(name):
    x = given(1, "plain")
    arguments = {
        "elementwise": ("prelu", x, [torch.rand(6, dtype=torch.float64, requires_grad=True)], [], []),
        "rows": ("logsumexp", [*x, torch.rand(4, 6) > 0.3], [torch.rand(4, 1, dtype=torch.float64, requires_grad=True)], [], [1]),
        "gated": ("swiglu", x, [], [1.2, 1.7, 1.0, 1.0], [1]),
    }[name]
    torch.library.opcheck(getattr(ops, name).default, arguments, test_utils=TESTS)


def network(x, w):
    h = ft.prelu(ft.gelu(x), w)
    return ft.swiglu(ft.elu(h, alpha=0.5), h) + ft.softmax(h, dim=0) * ft.logsumexp(h, keepdim=True, temperature=0.5)


def test_compile():
    """One graph, forward and backward, for any shape; aot_eager: what inductor makes is compiled for minutes."""
    torch._dynamo.reset()
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager", dynamic=True)
    for rows in (4, 7):
        x, w = torch.randn(rows, 6, requires_grad=True), torch.rand(6, requires_grad=True)
        found = [torch.autograd.grad(f(x, w).square().sum(), (x, w)) for f in (compiled, network)]
        torch.testing.assert_close(*found)
        torch.testing.assert_close(compiled(x, w), network(x, w))
    module = torch.nn.Sequential(torch.nn.Linear(6, 6), ft.PReLU(), ft.GLU(), ft.LogSoftmax())
    fast = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(fast(x), module(x))


@pytest.mark.release
def test_inductor():
    compiled = torch.compile(network, fullgraph=True)
    x, w = torch.randn(4, 6, requires_grad=True), torch.rand(6, requires_grad=True)
    torch.testing.assert_close(*[torch.autograd.grad(f(x, w).square().sum(), (x, w)) for f in (compiled, network)])


def test_export():
    exported = torch.export.export(torch.nn.Sequential(ft.GELU(), ft.Softmax(0)), (torch.randn(3, 4),))
    x = torch.randn(3, 4)
    assert torch.equal(exported.module()(x), ft.softmax(ft.gelu(x), 0))
    assert sum("fastact" in str(n.target) for n in exported.graph.nodes) == 2


def test_meta_and_fake_tensors():
    x = torch.empty(5, 6, device="meta", dtype=torch.bfloat16)
    for y, shape in ((ft.gelu(x), (5, 6)), (ft.logsumexp(x), (5,)), (ft.glu(x), (5, 3)), (ft.softmax(x), (5, 6))):
        assert (y.device.type, y.dtype, tuple(y.shape)) == ("meta", torch.bfloat16, shape)
    with torch._subclasses.FakeTensorMode() as mode:
        assert ft.mish(mode.from_tensor(torch.ones(3))).shape == (3,)


def test_vmap():
    x, w = torch.randn(5, 4, 3, dtype=torch.float64), torch.rand(5, dtype=torch.float64)
    vmap, grad = torch.func.vmap, torch.func.grad
    assert torch.equal(vmap(ft.gelu, in_dims=1, out_dims=1)(x), ft.gelu(x))
    assert torch.equal(vmap(ft.softmax, in_dims=(0, None))(x, 0), ft.softmax(x, 1))
    assert torch.equal(vmap(ft.prelu)(x, w), ft.prelu(x, w[:, None, None]))
    assert torch.equal(vmap(ft.prelu, in_dims=(None, 0))(x[0], w), ft.prelu(x[0].expand(5, 4, 3), w[:, None, None]))
    assert torch.equal(vmap(vmap(ft.swiglu))(x, -x), ft.swiglu(x, -x))
    loss = lambda v, w: (ft.prelu(ft.gelu(v), w) * ft.softmax(v, 0)).square().sum()  # noqa: E731
    each = [grad(loss, argnums=(0, 1))(*row) for row in zip(x, w, strict=True)]
    torch.testing.assert_close(vmap(grad(loss, argnums=(0, 1)))(x, w), tuple(torch.stack(g) for g in zip(*each, strict=True)))
    shared = vmap(grad(loss, argnums=1), in_dims=(0, None))(x, w[0])
    torch.testing.assert_close(shared.sum(), grad(lambda w: sum(loss(row, w) for row in x))(w[0]))


def test_transforms():
    x = torch.tensor([-1.2, -0.3, 0.4, 2.0], dtype=torch.float64)
    softmax, gelu = lambda v: torch.softmax(v, -1), torch.nn.functional.gelu
    for ours, theirs in ((ft.gelu, gelu), (ft.softmax, softmax), (ft.tanh, torch.tanh)):
        torch.testing.assert_close(torch.func.jacrev(ours)(x), torch.func.jacrev(theirs)(x))
        torch.testing.assert_close(torch.func.jacfwd(ours)(x), torch.func.jacfwd(theirs)(x))
        torch.testing.assert_close(torch.func.jacrev(torch.func.jacrev(ours))(x), torch.func.jacrev(torch.func.jacrev(theirs))(x))
    torch.testing.assert_close(
        torch.func.hessian(lambda v: ft.mish(v).sum())(x), torch.func.hessian(lambda v: torch.nn.functional.mish(v).sum())(x)
    )
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        slope = torch.autograd.forward_ad.unpack_dual(ft.log_softmax(dual * 2)).tangent
        torch.testing.assert_close(slope, torch.zeros_like(x), atol=1e-15, rtol=0)
        with pytest.raises(NotImplementedError, match=r"fastact.torch.glu: a forward derivative"):
            ft.glu(dual)


@pytest.fixture(params=[True, False], ids=["functions", "attributes"])
def read(request):
    """Tensors read as from PyTorch 2.10 on and as before."""
    bridge.read_by(bridge.FUNCTIONS if request.param else None)
    yield
    bridge.read_by(bridge.FUNCTIONS)


def test_calls_by_either_way(read):
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        x = torch.linspace(-3, 3, 16, dtype=dtype).reshape(4, 4).requires_grad_()
        for call in (ft.gelu, ft.softmax, ft.logsumexp, ft.swiglu, lambda v: ft.elu(v, 0.5), lambda v: ft.swiglu(v, v)):
            for given in (x, x.T, x[:, :2], x[:0], x.expand(2, 4, 4)):
                y = call(given)
                want = call(given.double()).to(dtype)
                torch.testing.assert_close(y, want)
                got, known = (torch.autograd.grad(v.sum(), x)[0] for v in (y, call(given.double())))
                atol, rtol = {2: (2e-2, 1e-2), 4: (1e-6, 1e-5), 8: (1e-13, 1e-13)}[dtype.itemsize]
                torch.testing.assert_close(got, known.to(dtype), atol=atol, rtol=rtol)


def test_tensors_that_only_look_plain(read):
    """Whose sign is yet to be changed, that take no memory, or are no dense ones."""
    x = torch.tensor([1 - 2j]).conj().imag  # one element, in one piece
    negated = torch._neg_view(torch.linspace(-2, 3, 8))
    for call in (ft.relu, ft.softmax, ft.logsumexp, ft.log_softmax, lambda v: ft.elu(v, 0.5), lambda v: ft.swiglu(v, v)):
        assert torch.equal(call(x), call(x.clone()))
        assert torch.equal(call(negated), call(negated.resolve_neg()))
        learnt = torch.linspace(-2, 3, 8).requires_grad_()
        y = call(learnt)
        ones, zeros = torch.ones_like(y), torch._efficientzerotensor(y.shape)
        want = torch.autograd.grad(y, learnt, -ones, retain_graph=True)[0]
        assert torch.equal(torch.autograd.grad(y, learnt, torch._neg_view(ones), retain_graph=True)[0], want)
        assert not torch.autograd.grad(y, learnt, zeros)[0].any()
        assert torch.equal(call(torch._efficientzerotensor(8)), call(torch.zeros(8)))
        for other in (torch.eye(4).to_sparse(), torch.eye(4).to_sparse_csr(), torch.eye(4).to_mkldnn()):
            with pytest.raises(TypeError, match=r"(x|a) has layout torch\.\w+; expected a dense tensor"):
                call(other)
        with pytest.raises(TypeError, match=r"(x|a) is nested; expected a dense tensor"):
            call(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]))
