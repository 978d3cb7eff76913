"""The quantisers beside those of vector-quantize-pytorch: the same codes, vectors and gradients, and what they cost.

    pip install vector-quantize-pytorch
    python benchmarks/quantizers.py --threads 1

The first table compares results from equal codebooks, in evaluation mode: share of equal codes, largest difference of
the vectors, and of the gradients at the encoder vectors. vector-quantize-pytorch widens the range of finite scalar
quantisation by a thousandth, so values near a rounding boundary differ. The second table has seconds of a training
step of the layer alone, forward and backward, as medians of runs that take turns.
"""

import argparse
import statistics
import time

import torch
import vector_quantize_pytorch as peer
from _environment import print_environment
from vector_quantize_pytorch.vector_quantize_pytorch import rotate_to

from skvq.nn.quantizers.base import rotation
from skvq.nn.quantizers.cosine import CosineEMAVectorQuantizer
from skvq.nn.quantizers.finite_scalar import FiniteScalarQuantizer
from skvq.nn.quantizers.product import ProductQuantizer
from skvq.nn.quantizers.projected import ProjectedQuantizer
from skvq.nn.quantizers.residual import ResidualQuantizer
from skvq.nn.quantizers.simvq import SimVQQuantizer
from skvq.nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer

LEVELS = (8, 6, 5)
STRAIGHT = {"rotation_trick": False}


def with_codebook(quantizer, codebook):
    quantizer.set_codebook(codebook.detach()[None])
    return quantizer


def equal_pairs(n_codes, dim):
    """Name → (ours, theirs, width) with equal codebooks."""
    plain = peer.VectorQuantize(dim=dim, codebook_size=n_codes, **STRAIGHT)
    cosine = peer.VectorQuantize(dim=dim, codebook_size=n_codes, use_cosine_sim=True, **STRAIGHT)
    residual = peer.ResidualVQ(dim=dim, codebook_size=n_codes, num_quantizers=4, **STRAIGHT)
    simvq = peer.SimVQ(dim=dim, codebook_size=n_codes, **STRAIGHT)
    mapped = SimVQQuantizer(n_codes, dim)
    with torch.no_grad():
        mapped.coefficients.copy_(simvq.frozen_codebook[None])
        mapped.map.copy_(simvq.code_transform.weight.T[None])
    stages = [with_codebook(EMAVectorQuantizer(n_codes, dim), stage._codebook.embed[0]) for stage in residual.layers]
    return {
        "vector": (with_codebook(EMAVectorQuantizer(n_codes, dim), plain._codebook.embed[0]), plain, dim),
        "cosine": (with_codebook(CosineEMAVectorQuantizer(n_codes, dim), cosine._codebook.embed[0]), cosine, dim),
        "residual, 4 stages": (ResidualQuantizer(stages), residual, dim),
        "SimVQ": (mapped, simvq, dim),
        "finite scalar": (FiniteScalarQuantizer(LEVELS), peer.FSQ(list(LEVELS)), len(LEVELS)),
    }


def compare(z, n_codes):
    print("| quantiser | equal codes | vectors differ by | gradients differ by |")
    print("| --- | --- | --- | --- |")
    upstream = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    for name, (ours, theirs, width) in equal_pairs(n_codes, z.shape[2]).items():
        left, right = (z[..., :width].clone().requires_grad_() for _ in range(2))
        found, expected = ours.eval()(left), theirs.eval()(right)
        same = found.codes == expected[1]
        everywhere = same if same.ndim == 2 else same.all(dim=2)
        vectors = float((found.vectors - expected[0]).abs()[everywhere].max().detach())
        gradient = "theirs has none in evaluation"
        if expected[0].requires_grad:
            found.vectors.backward(upstream[..., :width])
            expected[0].backward(upstream[..., :width])
            gradient = f"{float((left.grad - right.grad).abs()[everywhere].max()):.1e}"
        print(f"| {name} | {float(same.float().mean()):.4f} | {vectors:.1e} | {gradient} |")
    left, right = (z.clone().requires_grad_() for _ in range(2))
    z_q = z.flip(0)
    rotation(left, z_q).backward(upstream)
    rotate_to(right, z_q).backward(upstream)
    print(f"| rotation | | | {float((left.grad - right.grad).abs().max()):.1e} |")


def step(layer, z, width):
    """Return a function that runs forward and backward of vectors and losses once."""
    start = z[..., :width].contiguous()

    def run():
        leaf = start.clone().requires_grad_()
        found = layer(leaf)
        losses = sum(found.losses.values()) if hasattr(found, "losses") else sum(loss.sum() for loss in found[2:])
        (found[0].sum() + losses).backward()

    return run


def steps(z, k):
    d = z.shape[2]
    ours = {
        "vector, running means": (EMAVectorQuantizer(k, d), d),
        "vector, gradient": (VectorQuantizer(k, d), d),
        "vector, rotation": (EMAVectorQuantizer(k, d, gradient_estimator="rotation"), d),
        "cosine": (CosineEMAVectorQuantizer(k, d), d),
        "SimVQ": (SimVQQuantizer(k, d), d),
        "residual, 4 stages": (ResidualQuantizer([EMAVectorQuantizer(k, d) for _ in range(4)]), d),
        "product, 4 splits": (ProductQuantizer(EMAVectorQuantizer(k, d // 4, n_groups=4), 4), d),
        "projected to 8": (ProjectedQuantizer(EMAVectorQuantizer(k, 8), d), d),
        "finite scalar": (FiniteScalarQuantizer(LEVELS), len(LEVELS)),
    }
    vector = {"dim": d, "codebook_size": k}
    theirs = {
        "vector, running means": (peer.VectorQuantize(**vector, **STRAIGHT), d),
        "vector, rotation": (peer.VectorQuantize(**vector, rotation_trick=True), d),
        "cosine": (peer.VectorQuantize(**vector, use_cosine_sim=True, **STRAIGHT), d),
        "SimVQ": (peer.SimVQ(**vector, **STRAIGHT), d),
        "residual, 4 stages": (peer.ResidualVQ(**vector, num_quantizers=4, **STRAIGHT), d),
        "projected to 8": (peer.VectorQuantize(**vector, codebook_dim=8, **STRAIGHT), d),
        "finite scalar": (peer.FSQ(list(LEVELS)), len(LEVELS)),
    }
    return {
        (name, side): step(layer, z, width)
        for side, layers in (("ours", ours), ("theirs", theirs))
        for name, (layer, width) in layers.items()
    }


def interleaved_medians(runs, repeats):
    for run in runs.values():
        run()
    seconds = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--k", type=int, default=512, help="number of codes")
    parser.add_argument("--d", type=int, default=64, help="width of a vector")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print_environment("vector-quantize-pytorch")
    z = torch.randn(128, 49, arguments.d, generator=torch.Generator().manual_seed(0))
    compare(z, arguments.k)
    seconds = interleaved_medians(steps(z, arguments.k), arguments.repeats)
    print("\n| quantiser | ms of processor time | vector-quantize-pytorch | ratio |")
    print("| --- | --- | --- | --- |")
    for name, side in seconds:
        if side == "ours":
            ours, theirs = seconds[name, "ours"], seconds.get((name, "theirs"))
            beside = "| |" if theirs is None else f"{1e3 * theirs:.2f} | {theirs / ours:.1f} |"
            print(f"| {name} | {1e3 * ours:.2f} | {beside}")


if __name__ == "__main__":
    main()
