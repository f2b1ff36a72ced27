"""Fit and evaluate models; the only package besides `models` that knows torch."""
