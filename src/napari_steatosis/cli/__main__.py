"""``python -m napari_steatosis.cli``: the same as ``napari-steatosis``."""

from . import main

if __name__ == "__main__":
    main()
