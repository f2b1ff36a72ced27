"""The field *Stain* of the forms that run a model."""

from __future__ import annotations

from magicgui.widgets import ComboBox

from ..pipelines._stain import AS_IT_IS, AUTO

TEXTS = {AUTO: "As the model was trained", AS_IT_IS: "As the slide is"}


def stain_field() -> ComboBox:
    """Return a chooser of what is done to the colours of a slide before the model sees them."""
    from ..imaging.stain import STAINS

    choices = [(text, value) for value, text in TEXTS.items()]
    choices += [(f"Normalise: {method}", method) for method in STAINS if not STAINS[method].by_hand]
    field = ComboBox(label="Stain", choices=choices, value=AUTO)
    field.tooltip = (
        "Colours before the model sees them. The shipped models were trained on H&E as it is, of "
        "many laboratories; a model of your own may have been trained on normalised images. "
        "Methods map to the reference 'he'; for another, take a normalised layer as the slide."
    )
    return field
