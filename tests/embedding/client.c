/* A C client: an extension module over fastact.h. Arrays come as addresses. */
#include <Python.h>
#include <fastact.h>

static PyObject *find(PyObject *self, PyObject *args)
{
    const char *name, *kind;
    int dtype;
    if (!PyArg_ParseTuple(args, "ssi", &name, &kind, &dtype))
        return NULL;
    return PyLong_FromVoidPtr((void *)fa_find(name, kind, dtype));
}

static PyObject *parameters(PyObject *self, PyObject *kernel)
{
    return PyLong_FromLong(fa_parameters((const fa_kernel *)PyLong_AsVoidPtr(kernel)));
}

static PyObject *run(PyObject *self, PyObject *args)
{
    unsigned long long kernel, x, grad, y, z, params;
    Py_ssize_t n;
    int several;
    if (!PyArg_ParseTuple(args, "KnKKKKKp", &kernel, &n, &x, &grad, &y, &z, &params, &several))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    (several ? fa_run_parallel : fa_run)(
        (const fa_kernel *)kernel, n, (const void *)x, (const void *)grad, (void *)y, (void *)z, (const double *)params);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *rows(PyObject *self, PyObject *args)
{
    unsigned long long kernel, x, grad, y;
    Py_ssize_t rows, columns, x_stride, grad_stride, y_stride;
    double temperature;
    int several, failed;
    if (!PyArg_ParseTuple(args, "KnnKnKnKndp", &kernel, &rows, &columns, &x, &x_stride, &grad, &grad_stride, &y, &y_stride, &temperature, &several))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    failed = (several ? fa_rows_parallel : fa_rows)(
        (const fa_kernel *)kernel, rows, columns, (const void *)x, x_stride, (const void *)grad, grad_stride, (void *)y, y_stride, temperature);
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(failed);
}

static PyMethodDef methods[] = {
    {"find", find, METH_VARARGS, NULL},
    {"parameters", parameters, METH_O, NULL},
    {"run", run, METH_VARARGS, NULL},
    {"rows", rows, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL}
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "client", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_client(void)
{
    if (fastact_import() < 0)
        return NULL;
    return PyModule_Create(&module);
}
