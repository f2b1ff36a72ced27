"""OME-NGFF: metadata, levels and chunks."""
