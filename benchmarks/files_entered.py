"""Files of the package that one `fit` enters, as a reader would have to, and the classes behind each estimator.

    python benchmarks/files_entered.py

A file counts once a function of it is called, imports aside.
"""

import sys
from pathlib import Path

from sklearn.datasets import load_digits, load_wine

import skvq

ROOT = Path(skvq.__file__).parent
DIGITS, LABELS = load_digits(return_X_y=True)
WINE = load_wine().data


def files_entered(call):
    """Return the files of the package, relative to it, of which a call runs a function."""
    seen = set()

    def watch(frame, event, argument):
        if event == "call":
            seen.add(frame.f_code.co_filename)

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return sorted(str(Path(name).relative_to(ROOT)) for name in seen if name.startswith(str(ROOT)))


FITS = {
    "VQVAETransformer, images": lambda: skvq.VQVAETransformer(prior=None, max_iter=1).fit(DIGITS.reshape(-1, 8, 8)),
    "VQVAETransformer, table": lambda: skvq.VQVAETransformer(prior=None, max_iter=1).fit(WINE),
    "AutoEncoderTransformer": lambda: skvq.AutoEncoderTransformer(max_iter=1).fit(DIGITS),
    "VAETransformer": lambda: skvq.VAETransformer(max_iter=1).fit(DIGITS),
    "PixelCNN": lambda: skvq.PixelCNN(max_iter=1).fit(DIGITS.astype(int)),
    "MLPClassifier": lambda: skvq.MLPClassifier(max_iter=1).fit(DIGITS, LABELS),
}


def main():
    for name, call in FITS.items():
        files = files_entered(call)
        classes = getattr(skvq, name.partition(",")[0]).__mro__
        print(f"{name}: {len(files)} files, {len(classes)} classes in its method resolution order")
        print(*(f"    {file}" for file in files), sep="\n")
    print(f"modules directly in skvq/: {len(list(ROOT.glob('*.py')))}")


if __name__ == "__main__":
    main()
