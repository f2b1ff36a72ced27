"""bioimage.io packages: what their description says, and how one is written."""
