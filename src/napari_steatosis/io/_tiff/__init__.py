"""How a TIFF file lies, and how one is written."""
