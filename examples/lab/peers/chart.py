"""Draws what `cargo xtask bench speed` measured: our time over that of each other runtime.

    python chart.py results.json speed.png
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

# Name of each bar, its colour (Okabe and Ito 2008), and the runtimes of which the fastest counts.
PEERS = (
    ("OpenVINO", "#0072b2", ("openvino",)),
    ("ONNX Runtime", "#56b4e9", ("onnxruntime",)),
    ("PyTorch, the faster layout", "#d55e00", ("torch", "torch-channels-last")),
)
INK = "#282828"
GRID = "#e4e4e4"
# Behind a number, so that it can be read on a line.
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
# Share of a case's height that its bars fill, and inches of each bar.
FILL = 0.8
INCHES = 0.22


def main():
    parser = argparse.ArgumentParser(description="Draws what `cargo xtask bench speed` measured.")
    parser.add_argument("results", type=Path)
    parser.add_argument("chart", type=Path)
    arguments = parser.parse_args()
    figure = draw(json.loads(arguments.results.read_text())["comparisons"])
    part = arguments.chart.with_suffix(".part")
    figure.savefig(part, format="png", dpi=110, metadata={"Software": None})
    part.replace(arguments.chart)


def label(case):
    step = "training step, " if case["work"] == "training" else ""
    threads = "1 thread" if case["threads"] == 1 else f"{case['threads']} threads"
    return f"{step}{case['model']}@{case['image_size']}, batch {case['batch']}, {threads}"


def ratios(comparison):
    """(bar, our time over that of its runtimes) for each bar of `PEERS` that was timed."""
    times = {timing["runtime"]: timing["median_ms"] for timing in comparison["timings"]}
    for peer in PEERS:
        timed = [times[runtime] for runtime in peer[2] if runtime in times]
        if timed:
            yield peer, times["ours"] / min(timed)


def draw(comparisons):
    rows = [list(ratios(comparison)) for comparison in comparisons]
    height = 1.6 + INCHES * (sum(map(len, rows)) + len(rows))
    figure, axes = plt.subplots(figsize=(8.5, height), layout="constrained")
    ticks, named, top = [], set(), 0.0
    for row in rows:
        # A bar is one unit high, and a gap of one stands between cases.
        for index, ((name, color, _), ratio) in enumerate(row):
            place = top + index + 0.5
            axes.barh(place, ratio, FILL, color=color, label=name if name not in named else None)
            axes.annotate(f"{ratio:.2f}", (ratio, place), xytext=(4, 0), va="center", fontsize=7.5,
                          textcoords="offset points", color=INK, bbox=PAPER)
            named.add(name)
        ticks.append(top + len(row) / 2)
        top += len(row) + 1
    axes.axvline(1.0, color=INK, linewidth=1.2)
    axes.set_yticks(ticks, [label(comparison["case"]) for comparison in comparisons], fontsize=9)
    axes.set_ylim(top - 0.5, -0.5)
    axes.set_xlim(0.0, 1.08 * max(1.0, max(ratio for row in rows for _, ratio in row)))
    axes.set_xlabel("our time over theirs; left of the line at 1, ours is faster")
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(PEERS), frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    main()
