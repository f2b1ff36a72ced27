"""``napari-steatosis models``: what can be run."""

from __future__ import annotations

import typer


def models() -> None:
    """List the shipped models."""
    from ..models import SHIPPED, load_model

    for name in SHIPPED:
        model = load_model(name, device="cpu")
        typer.echo(f"{name:<22} {model.spec.um_per_px} um/px  {model.digest[:12]}")
        typer.echo(f"  {model.spec.training_data}\n  {model.spec.licence}")
