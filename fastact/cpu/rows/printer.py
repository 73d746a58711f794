"""Prints the passes over rows (``activations/rowwise.py``) as typed Cython, in the way of ``cpu/printer.py``.

Each pass is printed as an inline function, and around it the loops: across rows, along a row, and for some functions all
passes over a row as one kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...language.registry import ROW_PASSES
from ...language.terms import SCALARS, RowPass
from ...language.text import Text
from ..printer import GROUP, Printer

#: Lanes of a row's accumulators: a constant, so that they stay in registers.
WIDTH = 32

#: The same in kernels of whole rows, where shorter rows fill them and less is to be folded; two steps are computed at a time.
NARROW = 16

#: Steps of so many elements after which a plain sum is carried over to one in two parts.
STEPS = 16

#: Rows that take turns in a kernel of whole rows, at most, and the numbers in these.
ROWS = 16
NUMBERS = 4096

#: The numbers in backward passes, which read two arrays: 8 KB of each.
NUMBERS_BACK = {"float32": 2048, "float64": 1024}

#: Instructions an element, about, from which on a backward pass has the time to fetch what the next turn reads.
BUSY = 12

#: The head of a kernel of whole rows.
HEAD = """cdef Py_ssize_t w_{name}(fa_in_{t} in0_, fa_in_{t} in1_, fa_out_{t} out_, Py_ssize_t rows_, Py_ssize_t n_, \
Py_ssize_t step0_, Py_ssize_t step1_, Py_ssize_t step_, const void* const* p_) noexcept nogil:"""

#: A forward kernel of whole rows.
WHOLE = """
{head}
    <declared>
    cdef Py_ssize_t x_, y_, next_, row_, done_ = 0, count_, turn_ = max(1, min({rows}, {numbers} // n_))
    for i_ in range({rows}):
        <zeros>
    for row_ in range(min(turn_, rows_)):
        x_ = row_ * step0_
        <maximum of the first turn>
    while done_ < rows_:
        for i_ in range({rows}):
            <what follows from the maximum>
        count_ = min(turn_, rows_ - done_)
        for row_ in range(count_):
            if b_of_[row_] != 0:
                count_ = row_
                break
        for row_ in range(count_):
            x_ = (done_ + row_) * step0_
            y_ = (done_ + row_) * step_
            next_ = min(done_ + row_ + turn_, rows_ - 1) * step0_
            <sums>
        for i_ in range({rows}):
            <what follows from the sums>
        for row_ in range(count_):
            x_ = (done_ + row_) * step0_
            y_ = (done_ + row_) * step_
            <results>
        done_ += count_
        if count_ < turn_:
            break
        for i_ in range({rows}):
            m_of_[i_] = ahead_of_[i_]
    return done_
"""

#: A backward kernel of whole rows.
WHOLE_BACK = """
{head}
    <declared>
    cdef Py_ssize_t x_, y_, z_, row_, done_ = 0, ahead_, count_, turn_ = max(1, min({rows}, {numbers} // n_))
    ahead_ = turn_ * step0_
    while done_ < rows_:
        count_ = min(turn_, rows_ - done_)
        for row_ in range(count_):
            x_ = (done_ + row_) * step0_
            y_ = (done_ + row_) * step1_
            <sums>
        for row_ in range(count_):
            x_ = (done_ + row_) * step0_
            y_ = (done_ + row_) * step1_
            z_ = (done_ + row_) * step_
            <results>
        done_ += count_
    return done_
"""

#: The passes of a whole row: those that may be a row ahead, those that follow from them, and that of the results.
Stages = Sequence[Sequence[RowPass]]


class RowPrinter(Printer):
    """Prints passes of one precision."""

    def __init__(self, precision: str) -> None:
        super().__init__(precision)
        self.width = WIDTH

    def text_of(self, name: str) -> Text:
        """The text of a pass or primitive."""
        return Text.of(ROW_PASSES[name].function) if name in ROW_PASSES else super().text_of(name)

    def across(self, entry: RowPass) -> None:
        """Print one pass across rows: each lane is a row of its own."""
        self.require(entry.name)
        text = self.primitives[entry.name]
        roles = [("in", "in0"), ("in", "in1"), *(("out", n) for n in ("out", "s0", "s1", "s2"))]
        pointers = ", ".join(f"fa_{role}_{self.suffix} {n}_" for role, n in roles)
        sizes = ", ".join(f"Py_ssize_t {n}_" for n in ("rows", "width", "step0", "step1", "step"))
        lines = [f"cdef void r_{entry.name}({pointers}, {sizes}, const void* const* p_) noexcept nogil:"]
        lines += [f"    cdef {self.type} {n} = (<const {self.type}*> p_[{j}])[0]" for j, n in enumerate(SCALARS)]
        lanes = enumerate(entry.lanes, len(SCALARS))
        lines += [f"    cdef fa_in_{self.suffix} {n}_ = <fa_in_{self.suffix}> p_[{j}]" for j, n in lanes]
        names = {n: f"in{j}_[j_ * step{j}_ + i_]" for j, n in enumerate(entry.inputs)}
        names |= {n: f"s{j}_[i_]" for j, n in enumerate(entry.state)} | {n: f"{n}_[i_]" for n in entry.lanes}
        taken = ["out_[j_ * step_ + i_]" for _ in text.results[len(entry.state) :]] + [names[n] for n in entry.state]
        lines += ["    cdef Py_ssize_t i_, j_", "    for j_ in range(rows_):", f"        for i_ in range(width_ & ~{GROUP - 1}):"]
        lines += [f"            {', '.join(taken)} = p_{entry.name}({', '.join(names.get(n, n) for n in text.arguments)})"]
        self.lines += [*lines, "", ""]
        self.table.append(f'    table["across", "{entry.name}"] = <size_t> &r_{entry.name}')

    def walk(self, *ways: tuple[RowPass, Sequence[str], str], fetched: bool = False, carry: Sequence[str] = ()) -> list[str]:
        """Passes side by side along ``n_`` elements, some lanes at a time: element ``at_ + i_`` of their inputs and output.

        A remainder is part of the first step, at the end, which leaves alone what belongs to others: afterwards, what they have
        just written where an input p lies would have to be waited for. An input x may lie where the output goes too, in spite of
        what the compiler is told; that step reads it before it writes. What `carry` says is done after every STEPS steps.
        """
        line = 8 if self.precision == "float64" else 16
        calls, read, last, fetches = [], [], [], []
        for entry, inputs, output in ways:
            self.require(entry.name)
            text = self.primitives[entry.name]
            arrays = [output if n == "p" else v for n, v in zip(entry.inputs, inputs, strict=False)]
            sums = [f"{entry.name}_[{k * self.width} + i_]" for k in range(len(entry.state))]
            names = dict(zip((*entry.inputs, *entry.state), (*arrays, *sums), strict=True))
            taken = [output for _ in text.results[len(sums) :]] + sums
            call = f"p_{entry.name}({', '.join(names.get(n, n) for n in text.arguments)})"
            calls.append(f"{', '.join(taken)} = {call}")
            if here := {n: f"{n}_here_[i_]" for n in self.read_first(entry)}:
                read = [f"for i_ in range({self.width}):", *(f"    {v} = {names[n]}" for n, v in here.items()), "fa_settled()"]
                names |= here
                call = f"p_{entry.name}({', '.join(names.get(n, n) for n in text.arguments)})"
            last.append(f"{', '.join(f'new{k}_' for k in range(len(taken)))} = {call}")
            theirs = f"fa_lanes_{self.suffix}[i_] < theirs_"
            last += [f"{n} = fa_select_{self.suffix}({theirs}, {n}, new{k}_)" for k, n in enumerate(taken)]
            fetches += [n.replace("i_]", f"ahead_ + {k}]") for n in arrays if fetched for k in range(0, self.width, line)]
        end = [f"at_ = n_ - {self.width}", *read, f"for i_ in range({self.width}):", *(f"    {text}" for text in last)]
        end = ["if rest_:", f"    theirs_ = {self.width} - rest_", *(f"    {line}" for line in end)]
        step = [f"for i_ in range({self.width}):", *(f"    {call}" for call in calls)]
        times = WIDTH // self.width  # what a turn of the loop is cut into
        turn = [f"at_ = j_ * {WIDTH}", *(f"fa_fetch(&{n})" for n in fetches), *step]
        if times == 2:
            turn += [f"at_ += {self.width}", *step]
        if carry:
            turn += [f"if j_ % {STEPS // times} == {STEPS // times - 1}:", *(f"    {line}" for line in carry)]
        way = [f"for j_ in range(n_ // {WIDTH}):", *(f"    {line}" for line in turn)]
        if times == 2:
            way += [f"if n_ & {self.width}:", *(f"    {line}" for line in (f"at_ = n_ // {WIDTH} * {WIDTH}", *step))]
        return end + way

    def read_first(self, entry: RowPass) -> Sequence[str]:
        """The inputs that a pass reads before it writes, in the step that `walk` begins with."""
        return [] if "p" in entry.inputs or len(self.text_of(entry.name).results) == len(entry.state) else entry.inputs

    def begin(self, *entries: RowPass) -> list[str]:
        """What the accumulators of passes start with."""
        begins = [(f"{e.name}_[{k * self.width} + i_]", e.start[self.precision == "float64"] if k == 0 else 0.0)
                  for e in entries for k in range(len(e.state))]  # fmt: skip
        return [f"for i_ in range({self.width}):", *(f"    {n} = {self.literal(value)}" for n, value in begins)] if begins else []

    def numbers(self, names: Sequence[str]) -> list[str]:
        """``cdef`` lines of numbers of the call and of the row, from where ``p_`` points to."""
        return [f"cdef {self.type} {n} = (<const {self.type}*> p_[{k}])[0]" for k, n in enumerate([*SCALARS, *names])]

    def counters(self, *entries: RowPass) -> list[str]:
        """``cdef`` lines of what `walk` needs for these passes."""
        lines = [f"cdef {self.type} theirs_, new0_, new1_, new2_, new3_"]
        first = dict.fromkeys(n for entry in entries for n in self.read_first(entry))
        lines += [f"cdef {self.type} {n}_here_[{self.width}]" for n in first]
        return [*lines, f"cdef Py_ssize_t i_, j_, at_, rest_ = n_ & {self.width - 1}"]

    def carry(self, entry: RowPass) -> list[str]:
        """Add the first accumulator of a short pass to that in two parts, which is larger, and begin anew."""
        own, high, low = f"{entry.name}_[i_]", "total_[i_]", f"total_[{self.width} + i_]"
        lines = [f"new0_ = {high} + {own}", f"{low} += {own} - (new0_ - {high})", f"{high} = new0_", f"{own} = 0"]
        return [f"for i_ in range({self.width}):", *(f"    {line}" for line in lines)]

    def along(self, entry: RowPass) -> None:
        """Print one pass along a row: the accumulators start here if ``fresh_``, and are left for more of the row."""
        t = self.suffix
        arrays = f"fa_in_{t} in0_, fa_in_{t} in1_, fa_out_{t} out_, fa_out_{t} sums_"
        sizes = "Py_ssize_t apart_, bint fresh_, Py_ssize_t n_, Py_ssize_t ahead_"
        lines = [*self.numbers(entry.lanes), *self.counters(entry)]
        way = self.walk((entry, ("in0_[at_ + i_]", "in1_[at_ + i_]"), "out_[at_ + i_]"), fetched="p" not in entry.inputs)
        pairs = [(f"{entry.name}_[{k * self.width} + i_]", f"sums_[{k} * apart_ + i_]") for k in range(len(entry.state))]
        if pairs:
            lines += [f"cdef {self.type} {entry.name}_[{len(entry.state) * self.width}]", "if fresh_:"]
            lines += [*(f"    {line}" for line in self.begin(entry)), "else:", f"    for i_ in range({self.width}):"]
            lines += [*(f"        {a} = {b}" for a, b in pairs)]
            way += [f"for i_ in range({self.width}):", *(f"    {b} = {a}" for a, b in pairs)]
        self.lines += [f"cdef void a_{entry.name}({arrays}, {sizes}, const void* const* p_) noexcept nogil:"]
        self.lines += [*(f"    {line}" for line in (*lines, *way)), "", ""]
        self.table.append(f'    table["along", "{entry.name}"] = <size_t> &a_{entry.name}')

    def whole(self, name: str, stages: Stages) -> None:
        """Print all passes over a row as one kernel for many rows; it returns how many it did before one that is far.

        Where there is much to compute once a row, ROWS of them take turns, and it is computed for all of these at once. The
        first pass goes along a row of the next turn beside the second, which leaves it time. The output may be the input: an
        element is read before its place is written to, and what is read once more is as it was.
        """
        (first, *then), (sums, *total), (result,) = stages
        numbers = [n for n in dict.fromkeys(n for stage in stages for e in stage for n in (*e.state, *e.inputs)) if n not in "xp"]
        t, x, y = self.suffix, ("in0_[x_ + at_ + i_]",), "out_[y_ + at_ + i_]"
        declared = [*self.numbers(()), *self.counters(sums, result)]
        declared.append(f"cdef {self.type} {', '.join(f'{n} = 0' for n in numbers)}")
        declared += [f"cdef {self.type} {n}_of_[{ROWS}]" for n in (*numbers, "ahead")]
        declared += [f"cdef {self.type} {e.name}_[{len(e.state) * self.width}]" for e in (first, sums)]
        declared.append(f"cdef {self.type} folded_[3]")
        following = (first, ("in0_[next_ + at_ + i_]",), y)
        start = self.literal(sums.start[self.precision == "float64"])
        if sums.short:
            declared.append(f"cdef {self.type} total_[{(len(sums.state) + 1) * self.width}]")
            walk = [*self.begin_short(sums), *self.walk(following, (sums, x, y), carry=self.carry(sums))]
            count = len(sums.state)
            carried = [*self.carry(sums), *self.others(sums)]
            carried.append(f"fa_fold_sums_{t}(total_, {self.width}, {count + 1}, {start}, folded_)")
            walk += [f"if n_ < {self.width * STEPS}:", f"    fa_fold_plain_{t}({sums.name}_, {self.width}, {count}, folded_)"]
            walk += ["else:", *(f"    {line}" for line in carried)]
            names = ("s", "c", *sums.state[1:])
        else:
            names = sums.state
            walk = [*self.begin(sums), *self.walk(following, (sums, x, y))]
            walk.append(f"fa_fold_sums_{t}({sums.name}_, {self.width}, {len(names)}, {start}, folded_)")
        fold_max = f"fa_fold_max_{t}({first.name}_, {self.width}"
        blocks = {
            "declared": declared,
            "zeros": [f"{n}_of_[i_] = 0" for n in (*numbers, "ahead")],
            "maximum of the first turn": [*self.begin(first), *self.walk((first, x, y)), f"{fold_max}, &m_of_[row_])"],
            "what follows from the maximum": self.once(then, numbers),
            "sums": [
                *(f"{n} = {n}_of_[row_]" for n in sums.lanes), *self.begin(first), *walk,
                *(f"{n}_of_[row_] = folded_[{k}]" for k, n in enumerate(names)), f"{fold_max}, &ahead_of_[row_])",
            ],
            "what follows from the sums": self.once(total, numbers),
            "results": [*(f"{n} = {n}_of_[row_]" for n in result.lanes), *self.walk((result, x, y))],
        }  # fmt: skip
        self.kernel(WHOLE, name, blocks, rows=str(ROWS), numbers=str(NUMBERS))

    def whole_back(self, name: str, stages: Stages) -> None:
        """Print a sum over a row and what follows from it as one kernel for many rows. The output may be an input."""
        (sums,), (result,) = stages
        arrays = ("in0_[x_ + at_ + i_]", "in1_[y_ + at_ + i_]"), "out_[z_ + at_ + i_]"
        declared = [*self.numbers(()), *self.counters(sums, result)]
        declared += [f"cdef {self.type} {', '.join(sums.state)}", f"cdef {self.type} folded_[3]"]
        declared += [f"cdef {self.type} {n}_of_[{ROWS}]" for n in sums.state]
        fold = f"fa_fold_sums_{self.suffix}({sums.name}_, {self.width}, {len(sums.state)}, 0, folded_)"
        kept = [f"{n}_of_[row_] = folded_[{k}]" for k, n in enumerate(sums.state)]
        text = self.text_of(result.name)
        walk = self.walk((result, *arrays), fetched=self.cost(text.body, text.results) > BUSY)
        blocks = {
            "declared": [*declared, f"cdef {self.type} {sums.name}_[{len(sums.state) * self.width}]"],
            "sums": [*self.begin(sums), *self.walk((sums, *arrays)), fold, *kept],
            "results": [*(f"{n} = {n}_of_[row_]" for n in result.lanes), *walk],
        }
        self.kernel(WHOLE_BACK, name, blocks, rows=str(ROWS), numbers=str(NUMBERS_BACK[self.precision]))

    def kernel(self, template: str, name: str, blocks: Mapping[str, Sequence[str]], **words: str) -> None:
        """Print a kernel of whole rows from its template."""
        self.lines += [*filled(template, blocks, head=HEAD.format(name=name, t=self.suffix), **words), "", ""]
        self.table.append(f'    table["whole", "{name}"] = <size_t> &w_{name}')

    def once(self, entries: Sequence[RowPass], numbers: Sequence[str]) -> list[str]:
        """What is computed once a row, of all rows of a turn."""
        lines = []
        for entry in entries:
            self.require(entry.name)
            given = (f"{n}_of_[i_]" if n in numbers else n for n in self.primitives[entry.name].arguments)
            lines.append(f"{', '.join(f'{n}_of_[i_]' for n in entry.state)} = p_{entry.name}({', '.join(given)})")
        return lines or ["pass"]

    def begin_short(self, entry: RowPass) -> list[str]:
        """What the accumulators of a short pass start with, and the sum that it is carried over to."""
        start = self.literal(entry.start[self.precision == "float64"])
        lines = [f"for i_ in range({self.width}):", f"    total_[i_] = {start}", f"    total_[{self.width} + i_] = 0"]
        return [*lines, *(f"    {entry.name}_[{k * self.width} + i_] = 0" for k in range(len(entry.state)))]

    def others(self, entry: RowPass) -> list[str]:
        """The further accumulators of a short pass behind the sum in two parts."""
        w = self.width
        lines = [f"    total_[{(k + 1) * w} + i_] = {entry.name}_[{k * w} + i_]" for k in range(1, len(entry.state))]
        return [f"for i_ in range({self.width}):", *lines] if lines else []


def filled(template: str, blocks: Mapping[str, Sequence[str]], **words: str) -> list[str]:
    """The lines of a template: a line of ``<block>`` becomes that block's lines, as far to the right; ``{word}`` a word."""
    lines = []
    for line in template.strip("\n").split("\n"):
        text = line.strip()
        margin = line.removesuffix(text)
        lines += [margin + part for part in blocks[text[1:-1]]] if text.startswith("<") else [line.format_map(words)]
    return lines


def rows_text(precision: str, passes: Sequence[RowPass], kernels: Mapping[str, Stages]) -> str:
    """The Cython text of all passes in one precision, and of the kernels of whole rows."""
    printer = RowPrinter(precision)
    printer.head += ["    void fa_fetch(const void*)", "", 'cdef extern from "fold.h" nogil:']
    printer.head += ["    void fa_settled()", f"    const {printer.type}* fa_lanes_{printer.suffix}"]
    if precision == "float32":
        printer.head.append("    void fa_fold_plain_f32(const void*, Py_ssize_t, int, void*)")
    printer.head.append(f"    void fa_fold_max_{printer.suffix}(const void*, Py_ssize_t, void*)")
    printer.head.append(f"    void fa_fold_sums_{printer.suffix}(const void*, Py_ssize_t, int, double, void*)")
    for entry in (p for p in passes if p.alone):
        printer.across(entry)
        if not entry.once:
            printer.along(entry)
    printer.width = NARROW
    for name, stages in kernels.items():
        (printer.whole if len(stages) == 3 else printer.whole_back)(name, stages)
    return printer.finished()
