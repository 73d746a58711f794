# cython: language_level=3, cdivision=True
"""How many threads a call is worth, and who has the team: the settings of the process, of a thread, of the control group."""

import os
from operator import index

cdef extern from "threads.h" nogil:
    int fa_own_threads
    int fa_openmp()
    int fa_max_threads()
    bint fa_team_acquire()
    void fa_team_release()
    void fa_watch_fork()

fa_watch_fork()

cdef int most_threads = 4096        # that the CPUs allow this process
cdef int chosen_threads = 0         # by set_num_threads; 0: as OpenMP says at the time of a call
# A second thread pays when it takes over more work than a fork-join of the team costs.
cdef double serial_below = 4000.0           # nanoseconds of work
cdef double share = 2000.0                  # nanoseconds of work that a thread must get


def set_num_threads(n):
    """Set the number of threads that a large array is divided among.

    Until then it is what OpenMP says at each call (``OMP_NUM_THREADS``, ``threadpoolctl``), but no more than the CPUs
    that the process may use.

    Parameters
    ----------
    n : int
        At least 1. Without OpenMP everything runs on one thread.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is no integer, or less than 1.

    See Also
    --------
    num_threads : For a ``with`` block.
    """
    global chosen_threads
    chosen_threads = checked_threads(n, "set_num_threads")


def get_num_threads():
    """Return the number of threads that a large array is divided among in a call from here."""
    return threads_now()


def own_threads(int n):
    """Set the number for this thread alone, 0 for none of its own, and return what it was."""
    cdef int before = fa_own_threads
    global fa_own_threads
    fa_own_threads = n
    return before


def checked_threads(n, str function):
    """A number of threads, at most 4096, 1 without OpenMP."""
    if index(n) < 1:
        raise ValueError(f"fastact.{function}: n must be at least 1, got {n}")
    return min(index(n), 4096) if fa_openmp() else 1


cdef int threads_now() noexcept nogil:
    if fa_own_threads:
        return fa_own_threads
    return chosen_threads if chosen_threads else min(most_threads, fa_max_threads())


def set_thresholds(double serial, double each):
    """Set below how many nanoseconds of work one thread is used and how many a thread must get (tools/calibrate.py)."""
    global serial_below, share
    serial_below, share = serial, each


class num_threads:
    """Use so many threads within a ``with`` block, in the thread that entered it; others are not touched.

    Parameters
    ----------
    n : int
        At least 1. Without OpenMP everything runs on one thread.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is no integer, or less than 1.

    See Also
    --------
    fastact.set_num_threads : For the process.

    Examples
    --------
    >>> import fastact as fa
    >>> with fa.num_threads(1):
    ...     fa.get_num_threads()
    1
    """

    def __init__(self, n):
        self._n = checked_threads(n, "num_threads")
        self._before = []

    def __enter__(self):
        self._before.append(own_threads(self._n))
        return self

    def __exit__(self, *_):
        own_threads(self._before.pop())


cdef int acquire_team(double work, Py_ssize_t units) noexcept nogil:
    """The threads that `work` nanoseconds in so many pieces are worth; more than 1: release_team() afterwards."""
    cdef int threads = 1
    if work > serial_below and units > 1:
        threads = <int> min(<double> min(<Py_ssize_t> threads_now(), units), work / share)
    return threads if threads > 1 and fa_team_acquire() else 1


cdef void release_team() noexcept nogil:
    fa_team_release()


# ---------------------------------------------------------------------------------------------------
# The control group's limit
# ---------------------------------------------------------------------------------------------------

def cgroup_cpus(file="/sys/fs/cgroup/cpu.max"):
    """The whole CPUs that this process's control group may use; None where it is not limited."""
    try:
        with open(file, encoding="ascii") as limit:
            quota, period = limit.read().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else max(1, -(-int(quota) // int(period)))


def limit_threads():
    """Keep to the control group's limit, which OpenMP does not look at, unless OMP_NUM_THREADS says otherwise."""
    global most_threads
    cpus = cgroup_cpus()
    if cpus is not None and "OMP_NUM_THREADS" not in os.environ:
        most_threads = cpus


limit_threads()
