# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False, initializedcheck=False
"""The passes of the picked ISA level: their addresses, and the slots of the numbers that each works on."""

from libc.stdint cimport uintptr_t
from fastact.cpu.rows.view cimport SLOTS

cdef tuple PASS_NAMES = (
    "row_max", "largest", "exp_shift", "exp_sum", "exp_sum_scaled", "exp_total", "inverse",
    "row_max_null", "inverse_null", "scaled", "scaled_sure", "exp_scaled",
    "exp_sum_others", "exp_sum_others_scaled", "log_total", "log_shifted", "log_scaled", "log_sum_exp",
    "hard_count", "hard_part", "first_max", "sparse_start", "sparse_excess", "sparse_step", "sparse_part", "entmax_excess", "entmax_step", "entmax_part",
    "power_start", "power_excess", "power_step", "power_part",
    "steep_start", "steep_step", "steep_excess", "steep_low", "steep_high", "steep_end", "steep_part",
    "dot", "softmax_slope", "grad_sum", "log_softmax_slope", "sparse_dot", "sparse_slope", "entmax_dot", "entmax_slope",
    "weighted_mean",
)


def load(tables, passes, ops):
    """Take the addresses of the passes from the kernel tables; `passes` says what each works on, `ops` the functions' numbers.

    Accumulators and numbers of a row that have the same name share a slot.
    """
    global SLOT_M, SLOT_B, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT, SLOT_TOP
    cdef Kernel* kernel
    cdef int j
    slots = {}
    for j in range(2):
        for name, number in ops.items():
            if ("whole", name) in tables[j]:
                wholes[j][<int> number] = <whole_fn> <uintptr_t> <size_t> tables[j]["whole", name]
    for number, name in enumerate(PASS_NAMES):
        entry = passes[name]
        kernel = &kernels[number]
        for j in range(2):
            kernel.across[j] = <across_fn> <uintptr_t> <size_t> tables[j]["across", name]
            kernel.along[j] = NULL if entry.once else <along_fn> <uintptr_t> <size_t> tables[j]["along", name]
        kernel.takes_x = entry.inputs[0] == "x"
        kernel.in_place = entry.inputs[0] == "p"
        kernel.start = entry.start
        kernel.ninputs, kernel.nlanes, kernel.nstate = len(entry.inputs), len(entry.lanes), len(entry.state)
        for j, n in enumerate(entry.lanes):
            kernel.lanes[j] = slots.setdefault(n, len(slots))
        for j, n in enumerate(entry.state):
            kernel.state[j] = slots.setdefault(n, len(slots))
        if entry.once:
            for j, n in enumerate(entry.inputs):
                kernel.inputs[j] = slots.setdefault(n, len(slots))
    if len(slots) > SLOTS:
        raise AssertionError(f"{len(slots)} slots")
    SLOT_M, SLOT_B, SLOT_STEP, SLOT_Y, SLOT_COUNT, SLOT_AT, SLOT_TOP = (
        slots[n] for n in ("m", "b", "step", "y", "count", "at", "top"))
