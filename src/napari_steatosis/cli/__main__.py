"""``python -m napari_steatosis.cli``: the same as ``napari-steatosis``."""

from . import main

main()
