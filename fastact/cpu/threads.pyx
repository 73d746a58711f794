# cython: language_level=3, cdivision=True
"""How many threads a call is worth, and who has the team: the settings of the process, of a thread, of the control group."""

import os
from contextvars import ContextVar
from operator import index

cdef extern from "<stdatomic.h>" nogil:
    ctypedef int atomic_int
    int atomic_fetch_add(atomic_int*, int)

cdef extern from "threads.h" nogil:
    bint fa_team_acquire()
    void fa_team_release()
    int fa_other_callers()
    void fa_watch_fork()

cdef extern from "runtime.h" nogil:
    int fa_processors()

fa_watch_fork()

cdef enum:
    MOST = 1024                     # threads, at most

cdef int most_threads = MOST        # that the CPUs and the environment allow this process
cdef int chosen_threads = 0         # by set_num_threads; 0: most_threads
# A second thread pays when it takes over more work than it costs to tell it so (tools/calibrate.py).
cdef double serial_below = 2500     # nanoseconds of work
cdef double share = 1250            # nanoseconds of work that a thread must get

cdef int cpus = fa_processors()

_OWN = ContextVar("fastact.num_threads", default=None)  # (number, what it was before) within a block
cdef atomic_int blocks = 0          # that somebody is in


def set_num_threads(n):
    """Set the number of threads that a large array is divided among.

    Until then it is what ``FASTACT_NUM_THREADS`` or ``OMP_NUM_THREADS`` said when the package was imported, else the
    number of CPUs that the process may use. ``threadpoolctl`` sets it as well.

    Parameters
    ----------
    n : int
        At least 1; more than 1024 are taken as 1024.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is no integer, or less than 1.

    See Also
    --------
    num_threads : For a ``with`` block.

    Examples
    --------
    >>> import fastact as fa
    >>> before = fa.get_num_threads()
    >>> fa.set_num_threads(1)
    >>> fa.get_num_threads()
    1
    >>> fa.set_num_threads(before)
    """
    global chosen_threads
    chosen_threads = checked_threads(n, "set_num_threads")


def get_num_threads():
    """Return the number of threads that a large array is divided among in a call from here.

    Examples
    --------
    >>> import fastact as fa
    >>> with fa.num_threads(2):
    ...     fa.get_num_threads()
    2
    """
    return threads_now()


def checked_threads(n, str function):
    """A number of threads."""
    if index(n) < 1:
        raise ValueError(f"fastact.{function}: n must be at least 1, got {n}")
    return min(index(n), MOST)


cdef int threads_now() noexcept nogil:
    cdef int own = own_threads() if blocks else 0
    return own or chosen_threads or most_threads


cdef int own_threads() noexcept with gil:
    """The number of the innermost block around this call; 0: there is none."""
    own = _OWN.get()
    return 0 if own is None else own[0]


cdef int processors() noexcept nogil:
    """The processors that this process could run on when it imported the package."""
    return cpus


def set_thresholds(double serial, double each):
    """Set below how many nanoseconds of work one thread is used and how many a thread must get (tools/calibrate.py)."""
    global serial_below, share
    serial_below, share = serial, each


class num_threads:
    """Use so many threads within a ``with`` block, in the thread or task that entered it; others are not touched.

    Parameters
    ----------
    n : int
        At least 1; more than 1024 are taken as 1024.

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

    def __enter__(self):
        _OWN.set((self._n, _OWN.get()))
        atomic_fetch_add(&blocks, 1)
        return self

    def __exit__(self, *_):
        atomic_fetch_add(&blocks, -1)
        _OWN.set(_OWN.get()[1])


cdef int acquire_team(double work, Py_ssize_t units) noexcept nogil:
    """The threads that `work` nanoseconds in so many pieces are worth; more than 1: release_team() afterwards."""
    global team_work
    cdef int threads = 1
    if work > serial_below and units > 1:
        threads = <int> min(<double> min(<Py_ssize_t> threads_now(), units), work / share)
    if threads < 2:
        return 1
    if threads <= cpus:             # who asks for more gets them
        threads = min(threads, cpus - fa_other_callers())
    if threads < 2 or not fa_team_acquire():
        return 1
    team_work = work
    return threads


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


def asked_for():
    """The number of threads that the environment asks for, None if it does not; a list is for nested regions."""
    for name in ("FASTACT_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "").partition(",")[0].strip()
        if text.isdecimal() and int(text):
            return int(text)
        if text and name.startswith("FASTACT"):
            raise ImportError(f"{name}: expected a number of threads, at least 1, got {os.environ[name]!r}")
    return None


def limit_threads():
    """Keep to what the environment asks for, else to the processors and the control group's limit."""
    global most_threads, chosen_threads
    asked = asked_for()
    most_threads = min(MOST, asked or min(cpus, cgroup_cpus() or MOST))
    if "FASTACT_NUM_THREADS" in os.environ:
        chosen_threads = most_threads


limit_threads()
