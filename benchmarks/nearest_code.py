"""Speed and extra memory of the nearest-code search, beside its own matrix product and other ways to search.

    python benchmarks/nearest_code.py --threads 2 --n 6272 65536 --k 256 1024 --d 16 64

Times are medians of runs that take turns, so that a busy spell of the machine falls on all. "product" is the matrix
product of the same vectors and codes in pieces of the same size, with no bias, no centring and no argmax: the bound of
any exact search that multiplies. "whole product" makes all scores at once, in (n, k) memory that exists already.
"""

import argparse
import itertools
import platform
import statistics
import time

import torch

import skvq
from skvq.nn.quantizers.nearest import nearest_codes

try:
    import faiss
except ImportError:
    faiss = None


def product_in_pieces(z, codebook, piece_bytes):
    rows = max(1, piece_bytes // (4 * codebook.shape[0]))
    scores = torch.empty(rows, codebook.shape[0])

    def run():
        for start in range(0, len(z), rows):
            piece = z[start : start + rows]
            torch.mm(piece, codebook.T, out=scores[: len(piece)])

    return run


def whole_product(z, codebook):
    scores = torch.empty(len(z), codebook.shape[0])
    return lambda: torch.mm(z, codebook.T, out=scores)


def faiss_search(z, codebook):
    index = faiss.IndexFlatL2(z.shape[1])
    index.add(codebook.numpy())
    rows = z.numpy()
    return lambda: index.search(rows, 1)


def contestants(z, codebook, piece_bytes):
    runs = {
        "search": lambda: nearest_codes(z[:, None], codebook[None]),
        "product": product_in_pieces(z, codebook, piece_bytes),
        "whole product": whole_product(z, codebook),
        "cdist + argmin": lambda: torch.cdist(z, codebook).argmin(dim=1),
    }
    if faiss is not None:
        runs["faiss"] = faiss_search(z, codebook)
    return runs


def interleaved_medians(runs, repeats):
    """Median seconds of each of `runs`, a dict of functions, over `repeats` rounds."""
    for run in runs.values():
        run()
    seconds = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


def peak_extra_memory(run, warm_up):
    """MiB by which a first `run` raises resident memory at its highest point; None where the system does not tell."""
    try:
        warm_up()
        before = _memory("VmRSS:")
        with open("/proc/self/clear_refs", "w") as reset:
            reset.write("5")
        run()
        return _memory("VmHWM:") - before
    except OSError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[6272, 65536], help="numbers of vectors")
    parser.add_argument("--k", type=int, nargs="+", default=[256, 1024], help="numbers of codes")
    parser.add_argument("--d", type=int, nargs="+", default=[8, 16, 64], help="widths of a vector")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    versions = f"skvq {skvq.__version__}, torch {torch.__version__}, Python {platform.python_version()}"
    if faiss is not None:
        faiss.omp_set_num_threads(arguments.threads)
        versions += f", faiss {faiss.__version__}"
    print(f"{platform.processor() or platform.machine()}, threads: {torch.get_num_threads()}, {versions}")
    generator = torch.Generator().manual_seed(0)
    piece_bytes = 2**20 * max(2, arguments.threads)
    for n, k, d in itertools.product(arguments.n, arguments.k, arguments.d):
        z, codebook = torch.randn(n, d, generator=generator), torch.randn(k, d, generator=generator)
        runs = contestants(z, codebook, piece_bytes)
        extra = peak_extra_memory(runs["search"], lambda: nearest_codes(z[:9, None], codebook[None]))  # noqa: B023
        seconds = interleaved_medians(runs, arguments.repeats)
        times = ", ".join(f"{name} {1e3 * value:.2f} ms" for name, value in seconds.items())
        share, whole = (seconds[name] / seconds["search"] for name in ("product", "whole product"))
        memory = "unknown" if extra is None else f"{extra:.1f} MiB"
        print(f"n={n} k={k} d={d}: {times}")
        print(f"    speed: {share:.0%} of product, {whole:.0%} of whole product; extra memory {memory}", flush=True)


if __name__ == "__main__":
    main()
