"""The NumPy ufuncs under the activations, by name: ``gelu``, ``gelu_derivative``, ``gelu_backward``, ...

Here they can be pickled, which Dask needs on a cluster. `fastact.functions.elementwise` fills the module.
"""
