"""The nouns of the package. Nothing in here imports torch, napari or a file format."""
