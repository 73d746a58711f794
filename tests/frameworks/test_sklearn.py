"""fastact.sklearn: networks of scikit-learn with fastact's activations."""

import gc
import pickle

import numpy as np
import pytest
from helpers import NAMES, run_python

import fastact as fa

pytest.importorskip("sklearn")
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor, _base

import fastact.sklearn


@pytest.fixture(autouse=True)
def undone():
    yield
    fastact.sklearn.uninstall()
    assert _base.ACTIVATIONS["relu"] is _base.inplace_relu
    assert not set(_base.DERIVATIVES) - {"identity", "tanh", "logistic", "relu"}


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name):
    """Of every activation, by differences of the loss."""
    fastact.sklearn.install(name)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 3))
    if name == "log1mexp":
        x = np.abs(x) + 3
    activate, slope = _base.ACTIVATIONS[name], _base.DERIVATIVES[name]
    y, delta = x.copy(), rng.normal(size=x.shape)
    incoming = delta.copy()
    activate(y)
    np.testing.assert_array_equal(y, fa.get(name)(x))
    slope(y, delta)
    np.testing.assert_allclose(delta, incoming * fa.get(name).derivative(x), rtol=1e-12, atol=1e-14)
    if not fa.get(name).backward_from_output:
        assert len(activate.kept) == 1
        del y
        gc.collect()
        assert not activate.kept  # the input lives no longer than the output
        with pytest.raises(RuntimeError, match="no output of the activation"):
            slope(x, delta)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", ["gelu", "mish", "snake"])
def test_learns(name, solver):
    x, y = load_digits(return_X_y=True)
    fastact.sklearn.install(name)
    how = {"solver": solver, "max_iter": 15, "learning_rate_init": 0.01, "random_state": 0}
    network = MLPClassifier((40,), activation=name, **how)
    network.fit(x[:1000] / 16, y[:1000])
    assert network.score(x[1000:] / 16, y[1000:]) > 0.85
    assert network.predict_proba(x[:5]).shape == (5, 10)


def test_in_place_of_their_own():
    """The same training, to rounding."""
    x, y = load_digits(return_X_y=True)
    for name in ("relu", "tanh", "logistic"):
        runs = []
        for ours in (False, True):
            if ours:
                fastact.sklearn.install(name, "softmax")
            network = MLPRegressor if name == "tanh" else MLPClassifier
            network = network(hidden_layer_sizes=(20,), activation=name, max_iter=5, random_state=0)
            runs.append(network.fit(x[:500] / 16, y[:500]))
            fastact.sklearn.uninstall()
        for theirs, own in zip(runs[0].coefs_, runs[1].coefs_, strict=True):
            np.testing.assert_allclose(own, theirs, rtol=1e-7, atol=1e-9)


def test_names_and_parameters():
    leaky = fastact.sklearn.install("leaky_relu", negative_slope=0.3)
    assert leaky == "leaky_relu"
    y = np.array([[-2.0, 3.0]])
    _base.ACTIVATIONS[leaky](y)
    np.testing.assert_allclose(y, [[-0.6, 3.0]])
    assert set(fastact.sklearn.install()) == set(NAMES)
    assert fastact.sklearn.install("gelu", "swish") == ("gelu", "swish")
    for given, error, words in [
        (("softmin",), TypeError, "softmin is no elementwise activation"),
        (("gleu",), ValueError, "did you mean"),
        (("gelu", "mish"), TypeError, "parameters go with one activation"),
    ]:
        with pytest.raises(error, match=words):
            fastact.sklearn.install(*given, **({"alpha": 1.0} if len(given) == 2 else {}))
    with pytest.raises(TypeError, match=r"fastact.sklearn.install: elu: .*'beta'"):
        fastact.sklearn.install("elu", beta=2.0)
    with pytest.raises(TypeError, match=r"fastact.sklearn.install: elu: alpha is '2'; expected a number"):
        fastact.sklearn.install("elu", alpha="2")
    with pytest.raises(ValueError, match="The 'activation' parameter of MLPClassifier must be a str among"):
        MLPClassifier(activation="nothing").fit([[0.0], [1.0]], [0, 1])


def test_in_other_processes():
    """An estimator takes its activation along."""
    gelu = fastact.sklearn.install("elu", alpha=0.5)
    network = MLPRegressor(hidden_layer_sizes=(3,), activation=gelu, max_iter=2, random_state=0)
    code = (
        "import pickle, sys, numpy as np; network = pickle.loads(bytes.fromhex(sys.argv[1]));"
        "import warnings; warnings.simplefilter('ignore'); print(network.fit(np.eye(4), np.arange(4.0)).predict(np.eye(4)).sum())"
    )
    found = run_python(code, pickle.dumps(network).hex())
    here = network.fit(np.eye(4), np.arange(4.0)).predict(np.eye(4)).sum()
    assert float(found.stdout) == here, found.stderr
    search = GridSearchCV(network, {"alpha": [0.1, 0.2]}, cv=2)  # which clones
    assert search.fit(np.eye(4), np.arange(4.0)).best_estimator_.activation == "elu"
