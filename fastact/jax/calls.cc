// The functions of XLA's runtime for fastact: arrays of XLA, kernels of the C interface. No Python.
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>

#include "fastact.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

extern "C" int fastact_jax_use(const void *address) { return fastact_use(address); }

// The kernel of a name, kind and dtype: looked up once, for that takes the GIL.
static const fa_kernel *kernel_of(std::string_view name, std::string_view kind, ffi::DataType dtype)
{
    static std::mutex lock;
    static std::map<std::tuple<std::string, std::string, int>, const fa_kernel *> known;
    int number;
    switch (dtype) {
    case ffi::DataType::F16: number = FA_FLOAT16; break;
    case ffi::DataType::F32: number = FA_FLOAT32; break;
    case ffi::DataType::F64: number = FA_FLOAT64; break;
    default: return nullptr;
    }
    std::tuple<std::string, std::string, int> key{name, kind, number};
    {
        std::lock_guard<std::mutex> guard(lock);
        auto found = known.find(key);
        if (found != known.end())
            return found->second;
    }
    const fa_kernel *kernel = fa_find(std::get<0>(key).c_str(), std::get<1>(key).c_str(), number);
    std::lock_guard<std::mutex> guard(lock);
    return known[key] = kernel;
}

static ffi::Error missing(std::string_view name, std::string_view kind)
{
    return ffi::Error(ffi::ErrorCode::kInvalidArgument, "fastact.jax: no kernel " + std::string(name) + ", " + std::string(kind));
}

static ffi::Error one(
    std::string_view name, std::string_view kind, ffi::Span<const double> params, ffi::AnyBuffer x, ffi::Result<ffi::AnyBuffer> y)
{
    const fa_kernel *kernel = kernel_of(name, kind, x.element_type());
    if (!kernel || fa_parameters(kernel) != (int)params.size())
        return missing(name, kind);
    fa_run_parallel(kernel, x.element_count(), x.untyped_data(), nullptr, y->untyped_data(), nullptr, params.begin());
    return ffi::Error::Success();
}

static ffi::Error both(
    std::string_view name, ffi::Span<const double> params, ffi::AnyBuffer x, ffi::Result<ffi::AnyBuffer> y,
    ffi::Result<ffi::AnyBuffer> z)
{
    const fa_kernel *kernel = kernel_of(name, "value_and_derivative", x.element_type());
    if (!kernel || fa_parameters(kernel) != (int)params.size())
        return missing(name, "value_and_derivative");
    fa_run_parallel(kernel, x.element_count(), x.untyped_data(), nullptr, y->untyped_data(), z->untyped_data(), params.begin());
    return ffi::Error::Success();
}

// x and the parameters, arrays of one shape.
static ffi::Error many(std::string_view name, std::string_view kind, ffi::RemainingArgs given, ffi::Result<ffi::AnyBuffer> y)
{
    auto x = given.get<ffi::AnyBuffer>(0);
    const void *params[8];
    ptrdiff_t strides[8];
    if (!x || given.size() > 9)
        return missing(name, kind);
    const fa_kernel *kernel = kernel_of(name, kind, x->element_type());
    if (!kernel || fa_parameters(kernel) + 1 != (int)given.size())
        return missing(name, kind);
    for (size_t i = 1; i < given.size(); i++) {
        auto p = given.get<ffi::AnyBuffer>(i);
        if (!p || p->element_type() != x->element_type() || p->element_count() != x->element_count())
            return missing(name, kind);
        params[i - 1] = p->untyped_data();
        strides[i - 1] = p->element_count() ? (ptrdiff_t)(p->size_bytes() / p->element_count()) : 0;
    }
    fa_run_arrays(kernel, x->element_count(), x->untyped_data(), nullptr, y->untyped_data(), nullptr, params, strides);
    return ffi::Error::Success();
}

// Along an axis counted from the end, so that dimensions of a batch in front change nothing.
static ffi::Error rows(
    std::string_view name, int64_t axis, double temperature, ffi::AnyBuffer x, ffi::Result<ffi::AnyBuffer> y)
{
    const fa_kernel *kernel = kernel_of(name, "value", x.element_type());
    auto shape = x.dimensions();
    int64_t number = (int64_t)shape.size() + axis, outer = 1, inner = 1;
    if (!kernel || number < 0)
        return missing(name, "value");
    for (int64_t i = 0; i < (int64_t)shape.size(); i++)
        (i < number ? outer : inner) *= i == number ? 1 : shape[i];
    if (fa_along(kernel, outer, shape[number], inner, x.untyped_data(), nullptr, y->untyped_data(), temperature, 1))
        return ffi::Error(ffi::ErrorCode::kResourceExhausted, "fastact.jax: no memory for " + std::string(name));
    return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(
    fastact_jax_one, one,
    ffi::Ffi::Bind().Attr<std::string_view>("name").Attr<std::string_view>("kind").Attr<ffi::Span<const double>>("params")
        .Arg<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    fastact_jax_both, both,
    ffi::Ffi::Bind().Attr<std::string_view>("name").Attr<ffi::Span<const double>>("params")
        .Arg<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    fastact_jax_many, many,
    ffi::Ffi::Bind().Attr<std::string_view>("name").Attr<std::string_view>("kind").RemainingArgs().Ret<ffi::AnyBuffer>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(
    fastact_jax_rows, rows,
    ffi::Ffi::Bind().Attr<std::string_view>("name").Attr<int64_t>("axis").Attr<double>("temperature")
        .Arg<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>());
