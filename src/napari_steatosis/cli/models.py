"""``napari-steatosis models``: what can be run, and how it goes to other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models = typer.Typer(
    help="List the shipped models, export one, or look for networks to train.",
    invoke_without_command=True,
)


@models.callback()
def listed(context: typer.Context) -> None:
    """List the shipped models, export one, or look for networks to train."""
    from ..models import SHIPPED, load_model

    if context.invoked_subcommand is not None:
        return
    for name in SHIPPED:
        model = load_model(name, device="cpu")
        typer.echo(f"{name:<22} {model.spec.um_per_px} um/px  {model.digest[:12]}")
        typer.echo(f"  {model.spec.training_data}\n  {model.spec.licence}")


@models.command()
def names(
    word: Annotated[str, typer.Argument(help="Part of a name: convnext, deeplab.")] = "",
) -> None:
    """List what train takes by name, of all libraries; with a word, the names that hold it."""
    from ..core.errors import UnknownNameError
    from ..models import MODELS, WITHOUT_NETWORK
    from ..models._names import EXAMPLES, PARTS, names_with

    if word:
        found = names_with(word)
        if not found:
            raise UnknownNameError(f"No network has {word!r} in its name.")
        typer.echo("\n".join(found))
        return
    for row in (*MODELS, *WITHOUT_NETWORK):
        if row in PARTS:
            like = ", ".join(one for one in EXAMPLES if one.startswith(row))
            asked = "/".join(part.upper() for part in PARTS[row])
            typer.echo(f"{row}:{asked}  as {like}")
        else:
            typer.echo(row)


@models.command()
def export(
    name: Annotated[str, typer.Argument(help="A shipped model, or the folder of your own.")],
    out: Annotated[Path, typer.Argument(help="File or folder to write.")],
    to: Annotated[str, typer.Option(help="torchscript, onnx, bioimageio or wsinfer.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    author: Annotated[
        list[str] | None, typer.Option(help="For bioimageio, repeatable: a name.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="For bioimageio: an SPDX identifier, as BSD-3-Clause.")
    ] = None,
) -> None:
    """Write a model in a format of other programs, checked to give the same outputs."""
    from ..core.errors import BadValueError
    from ..models import export_model, load_model

    about = {"authors": author, "licence": licence}
    given = {key: value for key, value in about.items() if value}
    if given and to != "bioimageio":
        raise BadValueError(f"--author and --licence are for bioimageio; {to} holds neither.")
    model = load_model(name, device="cpu", precision="fp32")
    typer.echo(export_model(model, out, to=to, overwrite=overwrite, **given))
