"""The window: forms, layers and words. Computes nothing."""
