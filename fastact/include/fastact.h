/* The C interface of fastact: kernels by name, without Python objects and without the GIL.
 *
 *     #include <Python.h>
 *     #include <fastact.h>                            // python -c "import fastact; print(fastact.get_include())"
 *
 *     if (fastact_import() < 0) return NULL;          // once in each source file, with the GIL
 *     const fa_kernel *gelu = fa_find("gelu", "value", FA_FLOAT32);
 *     fa_run(gelu, n, x, NULL, y, NULL, NULL);        // any thread, any number of times
 *
 * Names and structures stay as they are; a later version adds to the end of fa_interface. */
#ifndef FASTACT_H
#define FASTACT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FASTACT_API_VERSION 3

enum { FA_FLOAT16, FA_FLOAT32, FA_FLOAT64 };

/* One kind of a function in one dtype; lives as long as the process. */
typedef struct fa_kernel fa_kernel;

typedef struct {
    int version;

    /* The kernel of a name or alias; NULL: there is none. Takes the GIL; keep what it returns.
     *
     * Elementwise functions have the kinds "value", "derivative", "value_and_derivative", "backward", "backward_from_output",
     * "second_derivative" and, for a parameter, "derivative_by_alpha", in all three dtypes. softmax, log_softmax, softmin,
     * log_softmin, softmax1, logsumexp, hardmax, sparsemax and entmax15 have "value" and, but for logsumexp and hardmax,
     * "backward", in float32 and float64. */
    const fa_kernel *(*find)(const char *name, const char *kind, int dtype);

    /* The number of parameters of an elementwise kernel, in the order of the documentation; -1: it is one of rows. */
    int (*parameters)(const fa_kernel *kernel);

    /* An elementwise kernel over n elements that follow each other, on this thread.
     *
     * grad: the gradient by the output in the two kinds of backward, else NULL. x: the output in backward_from_output.
     * z: the derivative in value_and_derivative, else NULL. params: one number for each parameter; NULL: the defaults; as in
     * Python, float32 kernels round them to float32. Pointers may have any alignment. An output may be x or grad; else it
     * shares no memory with either, nor y with z. Floating-point flags stay as they are. */
    void (*run)(const fa_kernel *kernel, ptrdiff_t n, const void *x, const void *grad, void *y, void *z, const double *params);

    /* The same on as many threads as fastact.get_num_threads() says, where that pays; elements must be aligned for that. */
    void (*run_parallel)(
        const fa_kernel *kernel, ptrdiff_t n, const void *x, const void *grad, void *y, void *z, const double *params);

    /* A kernel of rows over (rows, columns), on this thread. Elements of a row follow each other and are aligned; a stride is
     * the bytes from one row to the next, in y of logsumexp from one result to the next. In a backward pass x is the output of
     * the forward pass and grad the gradient by it, else grad is NULL. y may be x or grad (not of logsumexp). temperature: x is
     * divided by it, from 1e-30 to 1e30. Returns 0; -1: no memory, or not a kernel of rows. */
    int (*rows)(
        const fa_kernel *kernel, ptrdiff_t rows, ptrdiff_t columns, const void *x, ptrdiff_t x_stride, const void *grad,
        ptrdiff_t grad_stride, void *y, ptrdiff_t y_stride, double temperature);

    /* The same on several threads, where that pays. */
    int (*rows_parallel)(
        const fa_kernel *kernel, ptrdiff_t rows, ptrdiff_t columns, const void *x, ptrdiff_t x_stride, const void *grad,
        ptrdiff_t grad_stride, void *y, ptrdiff_t y_stride, double temperature);

    /* Since version 2: a kernel of rows along the middle axis of C-contiguous arrays (outer, columns, inner), aligned; y of
     * logsumexp is (outer, inner). The rest as in rows. several: on several threads, where that pays. */
    int (*along)(
        const fa_kernel *kernel, ptrdiff_t outer, ptrdiff_t columns, ptrdiff_t inner, const void *x, const void *grad, void *y,
        double temperature, int several);

    /* Since version 3: run_parallel with parameters that may change along the elements: an address for each, where numbers of the
     * kernel's dtype lie, and the bytes from one to the next, 0 for one number. Everything is aligned. An output may be one of
     * the inputs; else it shares no memory with any. */
    void (*run_arrays)(
        const fa_kernel *kernel, ptrdiff_t n, const void *x, const void *grad, void *y, void *z, const void *const *params,
        const ptrdiff_t *strides);
} fa_interface;

/* The interface as this source file sees it; NULL until fastact_import() or fastact_use(). */
static const fa_interface *fastact_api = NULL;

/* Take the interface by its address, which the capsule fastact._C_API holds: for callers without Python.h, such as cffi. 0, or
 * -1 where the installed fastact is older than this header. */
static inline int fastact_use(const void *address)
{
    const fa_interface *found = (const fa_interface *)address;
    if (!found || found->version < FASTACT_API_VERSION)
        return -1;
    fastact_api = found;
    return 0;
}

#ifdef Py_PYTHON_H
/* Import fastact and take its interface: 0, or -1 with an exception set. */
static inline int fastact_import(void)
{
    const void *found = PyCapsule_Import("fastact._C_API", 0);
    if (!found)
        return -1;
    if (fastact_use(found) < 0) {
        PyErr_Format(
            PyExc_ImportError, "fastact.h has version %d of the C interface, the installed fastact version %d; upgrade fastact",
            FASTACT_API_VERSION, ((const fa_interface *)found)->version);
        return -1;
    }
    return 0;
}
#endif

static inline const fa_kernel *fa_find(const char *name, const char *kind, int dtype)
{
    return fastact_api->find(name, kind, dtype);
}
static inline int fa_parameters(const fa_kernel *kernel) { return fastact_api->parameters(kernel); }
static inline void fa_run(
    const fa_kernel *kernel, ptrdiff_t n, const void *x, const void *grad, void *y, void *z, const double *params)
{
    fastact_api->run(kernel, n, x, grad, y, z, params);
}
static inline void fa_run_parallel(
    const fa_kernel *kernel, ptrdiff_t n, const void *x, const void *grad, void *y, void *z, const double *params)
{
    fastact_api->run_parallel(kernel, n, x, grad, y, z, params);
}
static inline void fa_run_arrays(
    const fa_kernel *kernel, ptrdiff_t n, const void *x, const void *grad, void *y, void *z, const void *const *params,
    const ptrdiff_t *strides)
{
    fastact_api->run_arrays(kernel, n, x, grad, y, z, params, strides);
}
static inline int fa_rows(
    const fa_kernel *kernel, ptrdiff_t rows, ptrdiff_t columns, const void *x, ptrdiff_t x_stride, const void *grad,
    ptrdiff_t grad_stride, void *y, ptrdiff_t y_stride, double temperature)
{
    return fastact_api->rows(kernel, rows, columns, x, x_stride, grad, grad_stride, y, y_stride, temperature);
}
static inline int fa_rows_parallel(
    const fa_kernel *kernel, ptrdiff_t rows, ptrdiff_t columns, const void *x, ptrdiff_t x_stride, const void *grad,
    ptrdiff_t grad_stride, void *y, ptrdiff_t y_stride, double temperature)
{
    return fastact_api->rows_parallel(kernel, rows, columns, x, x_stride, grad, grad_stride, y, y_stride, temperature);
}
static inline int fa_along(
    const fa_kernel *kernel, ptrdiff_t outer, ptrdiff_t columns, ptrdiff_t inner, const void *x, const void *grad, void *y,
    double temperature, int several)
{
    return fastact_api->along(kernel, outer, columns, inner, x, grad, y, temperature, several);
}

#ifdef __cplusplus
}
#endif
#endif
