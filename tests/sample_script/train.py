"""The one file that is edited: a model that says the next character, its optimiser, its loop."""

import os
import resource
import sys
import time

import numpy as np
from prepare import CHARACTERS, CONTEXT, TIME_BUDGET, evaluate_bpb, windows

WIDTH = 32
EMBEDDING = 8
LEARNING_RATE = 0.5
BATCH_SIZE = 64
SEED = int(os.environ.get("SEED", "42"))

started = time.monotonic()
rng = np.random.default_rng(SEED)
embedding = rng.normal(0, 0.1, (len(CHARACTERS), EMBEDDING))
hidden = rng.normal(0, (CONTEXT * EMBEDDING) ** -0.5, (CONTEXT * EMBEDDING, WIDTH))
out = rng.normal(0, 0.01, (WIDTH, len(CHARACTERS)))


def forward(seen):
    flat = embedding[seen].reshape(len(seen), -1)
    inner = np.tanh(flat @ hidden)
    scores = inner @ out
    scores -= scores.max(1, keepdims=True)
    return flat, inner, scores - np.log(np.exp(scores).sum(1, keepdims=True))


def step(seen, follows, rate):
    global hidden, out
    flat, inner, logs = forward(seen)
    wrong = np.exp(logs)
    wrong[np.arange(len(follows)), follows] -= 1
    wrong /= len(follows)
    into = (wrong @ out.T) * (1 - inner**2)
    back = (into @ hidden.T).reshape(len(seen), CONTEXT, EMBEDDING)
    out -= rate * inner.T @ wrong
    hidden -= rate * flat.T @ into
    np.subtract.at(embedding, seen, rate * back)
    return -logs[np.arange(len(follows)), follows].mean()


contexts, targets = windows("train")
print(f"Data loaded: {len(targets):,} characters, {len(CHARACTERS)} different")
began, steps, smooth = time.monotonic(), 0, 0.0
while (passed := time.monotonic() - began) < TIME_BUDGET:
    rows = rng.integers(len(targets), size=BATCH_SIZE)
    loss = step(contexts[rows], targets[rows], LEARNING_RATE * (1 - passed / TIME_BUDGET))
    if not np.isfinite(loss) or loss > 100:
        print("FAIL")
        sys.exit(1)
    steps += 1
    smooth += (loss - smooth) / min(steps, 50)
    done = 100 * passed / TIME_BUDGET
    print(f"\rstep {steps:05d} ({done:.1f}%) | loss: {smooth:.6f} | dt: 0ms    ", end="", flush=True)
print()

training = time.monotonic() - began
val_bpb = evaluate_bpb(lambda seen: forward(seen)[2])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print("---")
print(f"val_bpb:          {val_bpb:.6f}")
print(f"training_seconds: {training:.1f}")
print(f"total_seconds:    {time.monotonic() - started:.1f}")
print(f"peak_vram_mb:     {peak:.1f}")
print(f"num_steps:        {steps}")
print(f"num_params_M:     {(embedding.size + hidden.size + out.size) / 1e6:.4f}")
