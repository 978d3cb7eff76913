"""In which order the gallery shows its examples."""

CHAPTERS = ["neuron", "perceptron", "multilayer", "learning", "autoencoder", "vae", "vqvae", "quantizers", "pixelcnn"]
ORDER = [f"plot_{chapter}.py" for chapter in CHAPTERS]


def by_chapter(filename):
    """Return a key to sort file names by: the user guide's chapters, then all others by name."""
    return (ORDER.index(filename), "") if filename in ORDER else (len(ORDER), filename)
