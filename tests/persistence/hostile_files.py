"""Saved files that are mutated, and files that are made to do harm."""

import copy
import hashlib
import io
import json
import pickle
import zipfile

import numpy as np


def split(file):
    """Return (header as a dict, its metadata as a dict, bytes of the arrays) of a saved file."""
    n = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + n])
    return header, json.loads(header["__metadata__"]["skvq"]), file[8 + n :]


def join(header, metadata, arrays):
    """Return the file of these parts, with the digest that it should have."""
    metadata = metadata | {"sha256": "0" * 64}
    raw = json.dumps(header | {"__metadata__": {"skvq": json.dumps(metadata)}}).encode()
    return seal(len(raw).to_bytes(8, "little") + raw + arrays, "0" * 64)


def seal(file, digest):
    """Return a file with its digest, which is `digest` now, made that of its bytes: a forger can do this too."""
    blank = file.replace(digest.encode(), b"0" * 64, 1)
    return blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode(), 1)


NASTY = [
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 4097, 2**31, 2**53, 2**63, 10**9, 10**30, 0.5, -0.5, 1e-300, 1e300, "",
    "auto", "nan", "__class__", "os.system", "vector", "residual", "product", "two_level", "pandas", "cuda",
    [], {}, [0], [1, 1], [10**9], [[1, 1], [2, 2]], [[]], {"tuple": []}, {"tuple": [4, 4]}, {"float": "inf"},
    {"float": "nan"}, {"numpy": ["int64", 3]}, {"array": ["float64", [0.1, 0.9]]}, {"dict": [["a", 1]]},
    {"estimator": {"class": "PixelCNN", "parameters": {}}}, {"numpy": ["object", 3]},
]  # fmt: skip


def places(tree):
    """Return every (container, key) in a tree of dicts and lists."""
    found, left = [], [tree]
    while left:
        part = left.pop()
        keys = part.keys() if isinstance(part, dict) else range(len(part))
        for key in keys:
            found.append((part, key))
            if isinstance(part[key], (dict, list)):
                left.append(part[key])
    return found


def edit(file, rng):
    """Return a file with one to three values of its header or metadata replaced, removed, exchanged or nudged."""
    header, metadata, arrays = split(file)
    header.pop("__metadata__")
    for _ in range(rng.integers(1, 4)):
        tree = metadata.get("model") if rng.random() < 0.7 else [header, metadata][rng.integers(2)]
        spots = places(tree if isinstance(tree, (dict, list)) and tree else header)
        part, key = spots[rng.integers(len(spots))]
        other, other_key = spots[rng.integers(len(spots))]
        way = rng.integers(5)
        if way == 0:
            part[key] = copy.deepcopy(NASTY[rng.integers(len(NASTY))])
        elif way == 1:
            del part[key]
        elif way == 2:
            part[key] = copy.deepcopy(other[other_key])
        elif isinstance(part, dict) and way == 3:
            part[str(other_key)] = part.pop(key)
        elif isinstance(part[key], (int, float)):
            part[key] = part[key] * [2, -1, 10, 0.5][rng.integers(4)] if rng.random() < 0.5 else part[key] + 1
    return join(header, metadata, arrays)


def mutate(file, others, rng):
    """Return (name of the mutation, a file that it made of `file`); `others` are files to take parts from."""
    n, digest = 8 + int.from_bytes(file[:8], "little"), split(file)[1]["sha256"]
    way = rng.choice(
        ["bits", "sealed bits of the header", "sealed bits of the arrays", "cut", "longer", "edit", "splice", "moved"],
        p=[0.1, 0.15, 0.15, 0.05, 0.05, 0.4, 0.05, 0.05],
    )
    mutant = bytearray(file)
    if way == "cut":
        return way, file[: rng.integers(len(file))]
    if way == "longer":
        return way, seal(file + rng.bytes(rng.integers(1, 200)), digest)
    if way == "edit":
        return way, edit(file, rng)
    if way == "splice":
        other = others[rng.integers(len(others))]
        return way, seal(file[:n] + other[8 + int.from_bytes(other[:8], "little") :], digest)
    if way == "moved":
        start, to = rng.integers(8, len(file), size=2)
        length = int(rng.integers(1, 100))
        mutant[to : to + length] = mutant[start : start + length]
        return way, seal(bytes(mutant), digest)
    low, high = {"bits": (0, len(file)), "sealed bits of the header": (0, n)}.get(way, (n, len(file)))
    for position in rng.integers(low, high, size=rng.integers(1, 5)):
        mutant[position] ^= 1 << rng.integers(8)
    return way, bytes(mutant) if way == "bits" else seal(bytes(mutant), digest)


class Harmful:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file has run')",)


def changed(file, change):
    """Return a file after ``change(header, metadata, arrays)``, which may return other bytes for the arrays."""
    header, metadata, arrays = split(file)
    header.pop("__metadata__")
    arrays = change(header, metadata, bytearray(arrays)) or arrays
    return join(header, metadata, arrays)


def with_header(text, arrays=b""):
    """Return a file with this text or these bytes for a header."""
    raw = text.encode() if isinstance(text, str) else text
    return len(raw).to_bytes(8, "little") + raw + arrays


def with_description(text):
    """Return a file without arrays whose metadata are this text."""
    return with_header(json.dumps({"__metadata__": {"skvq": text}}))


def with_class(file, name):
    """Return a file of another class."""
    return changed(file, lambda header, metadata, arrays: metadata["model"].update({"class": name}))


def with_parameter(file, name, value):
    """Return a file with another constructor parameter."""
    return changed(file, lambda header, metadata, arrays: metadata["model"]["parameters"].update({name: value}))


def with_architecture(file, name, value):
    """Return a file with another entry of `architecture_`; one of its codes is named with a point."""
    *parts, name = name.split(".")

    def change(header, metadata, arrays):
        entries = metadata["model"]["state"]["architecture_"]
        for part in parts:
            entries = entries[part]
        assert name in entries
        entries[name] = value

    return changed(file, change)


def with_entry(file, **entry):
    """Return a file with another description of its first weights."""

    def change(header, metadata, arrays):
        header[next(name for name in header if name.startswith("weights_"))].update(entry)

    return changed(file, change)


def with_priors_in_priors(file, depth):
    """Return a file with a parameter so deep that Python's own json would not write it."""
    header, metadata, arrays = split(with_parameter(file, "prior", "HERE"))
    metadata["sha256"] = "0" * 64
    text = '{"estimator":{"class":"VQVAETransformer","parameters":{"prior":' * depth + "null" + "}}}" * depth
    inner = json.dumps(metadata).replace('"HERE"', text)
    return seal(with_header(json.dumps(header | {"__metadata__": {"skvq": inner}}), arrays), "0" * 64)


def lies_about_bytes(file):
    """Return files whose header does not describe the bytes behind it."""
    n = int.from_bytes(file[:8], "little")
    raw, arrays = file[8 : 8 + n], file[8 + n :]

    def overlap(header, metadata, arrays):
        one, two = list(header)[:2]
        header[two]["data_offsets"] = header[one]["data_offsets"]

    def gap(header, metadata, arrays):
        for entry in header.values():
            entry["data_offsets"] = [8 + offset for offset in entry["data_offsets"]]
        return bytes(8) + arrays

    def many_arrays(header, metadata, arrays):
        for i in range(5_000):
            header[f"a{i}"] = {"dtype": "F32", "shape": [0], "data_offsets": [len(arrays), len(arrays)]}

    def not_numbers(header, metadata, arrays):
        name = next(name for name in header if name.startswith("weights_"))
        start, stop = header[name]["data_offsets"]
        arrays[start:stop] = np.full((stop - start) // 4, np.nan, np.float32).tobytes()
        return bytes(arrays)

    return {
        "a header of 2^63 bytes": (2**63).to_bytes(8, "little") + file[8:],
        "a header of 100 MB that is not there": (10**8).to_bytes(8, "little") + file[8:],
        "a header of a megabyte": with_header(raw + b" " * 2**20, arrays),
        "a key twice": with_header(raw.replace(b'"shape"', b'"dtype":"F32","shape"', 1), arrays),
        "arrays that overlap": changed(file, overlap),
        "hidden bytes before the arrays": changed(file, gap),
        "arrays that the file ends within": seal(file[:-64], split(file)[1]["sha256"]),
        "hidden bytes behind the arrays": seal(file + b"\0" * 64, split(file)[1]["sha256"]),
        "a shape whose product overflows": with_entry(file, shape=[2**40, 2**40]),
        "negative sizes": with_entry(file, shape=[-1, -4]),
        "another dtype of the same size": with_entry(file, dtype="I32"),
        "weights that are NaN": changed(file, not_numbers),
        "five thousand empty arrays": changed(file, many_arrays),
    }


def asks_for_code(file):
    """Return files that name what they would like to have run."""
    estimator = {"estimator": {"class": "GaussianMixture", "parameters": {}}}
    return {
        "a class of the standard library": with_class(file, "subprocess.Popen"),
        "a class by a dunder": with_class(file, "__class__"),
        "a class of the wrong type": with_class(file, ["VQVAETransformer"]),
        "a function for a scorer": with_parameter(file, "scoring", "os.system"),
        "an estimator of another package": with_parameter(file, "prior", estimator),
        "a pickle": pickle.dumps(Harmful()),
    }


def asks_for_memory(file, image_file):
    """Return files whose description is large or deep, or of a large network, and one that is an archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("model", b"\0" * 10**7)
    return {
        "a thousand priors in priors": with_priors_in_priors(file, 1000),
        "JSON a hundred thousand deep": with_header(
            '{"__metadata__":{"skvq":"x"},"a":' + "[" * 10**5 + "]" * 10**5 + "}"
        ),
        "half a megabyte of empty lists": with_description("[" + "[]," * 170_000 + "[]]"),
        "half a megabyte of keys": with_description(json.dumps({f"{i:x}": 0 for i in range(40_000)})),
        "half a megabyte of numbers": with_description(str([0.5] * 100_000)),
        "a number of half a million digits": with_header('{"a":' + "1" * (2**19 - 100) + "}"),
        "a billion blocks": with_architecture(image_file, "n_blocks", 10**9),
        "a billion stages": with_architecture(file, "codes.codes_per_position", 10**9),
        "layers of which numpy forgets how wide they are": with_architecture(
            file, "hidden_layer_sizes", [{"numpy": ["uint8", 1]}]
        ),
        "layers a billion wide": with_architecture(file, "hidden_layer_sizes", [10**9, 10**9]),
        "a hundred thousand hidden layers": with_architecture(file, "hidden_layer_sizes", [1] * 10**5),
        "a grid of a million times a million": with_architecture(image_file, "codes.grid", [10**6, 10**6]),
        "an image of a billion pixels": with_architecture(image_file, "row_shape", [10**5, 10**4, 1]),
        "a search over a billion prefixes": with_architecture(file, "codes.beam_size", 10**9),
        "a zip archive": archive.getvalue(),
    }


def hostile(file, image_file):
    """Return files made to do harm, by what they try, from a VQ-VAE's with a prior, and from one's of images."""
    others = {
        "a newer format": changed(file, lambda header, metadata, arrays: metadata.update({"format": 2})),
        "nothing": b"",
    }
    return lies_about_bytes(file) | asks_for_code(file) | asks_for_memory(file, image_file) | others
