"""A field for a whole number in which 0 stands for what is usual."""

from __future__ import annotations

from magicgui.widgets import FloatSpinBox


def count_field(label: str, *, most: int, usual: str) -> FloatSpinBox:
    """Return a field for a whole number that reads as words where it is 0.

    That of magicgui for integers knows no such words; its value is a float here.

    Parameters
    ----------
    label : str
        With the unit.
    most : int
        The highest number.
    usual : str
        What 0 stands for.
    """
    field = FloatSpinBox(label=label, min=0, max=most, step=1, value=0)
    field.native.setDecimals(0)
    field.native.setSpecialValueText(usual)
    return field
