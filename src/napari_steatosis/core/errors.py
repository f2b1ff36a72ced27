"""The one tree of errors: every message says what, the value seen, and what to do."""

from __future__ import annotations


class SteatosisError(Exception):
    """Root of every error that this package raises on purpose.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> try:
    ...     st.open_slide("no/such/file.svs")
    ... except st.SteatosisError as error:
    ...     print(error)
    no/such/file.svs: there is no such file or folder.
    """


class CannotOpenError(SteatosisError, OSError):
    """A file or folder cannot be opened as what it was given for."""


class UnreadableRegionError(SteatosisError, OSError):
    """A region of an opened slide could not be decoded; no pixel was made up for it."""


class SlideChangedError(SteatosisError, OSError):
    """The file of a slide vanished, was cut off or replaced while it was analysed."""


class MissingScaleError(SteatosisError, ValueError):
    """A length was asked of a slide whose pixel size is unknown or implausible."""


class UnknownNameError(SteatosisError, LookupError):
    """A name is not in the table of readers, models, measures or writers."""


class BadValueError(SteatosisError, ValueError):
    """A parameter or an input array has a value that cannot be used."""


class ModelFileError(SteatosisError, OSError):
    """A model folder or weight file is missing, damaged or of another architecture."""


class MissingPackageError(SteatosisError, ImportError):
    """A package that only some formats or functions need is not installed."""


class StoreMismatchError(SteatosisError, ValueError):
    """A results store was begun with another slide, model or setting."""


class StoreWriteError(SteatosisError, OSError):
    """A results store cannot be written: disk full, no permission, or it was removed."""


class StoreBusyError(SteatosisError, OSError):
    """Another process is writing to the results store."""


class IncompleteRunError(SteatosisError, RuntimeError):
    """A run ended with tiles that could not be read; the rest is stored and can be resumed."""


class NoTissueError(SteatosisError, ValueError):
    """Nothing is left to analyse: no tissue, or a region that lies outside the slide."""


class ClusterError(SteatosisError, RuntimeError):
    """The scheduler or the workers of a cluster cannot be reached, or cannot do the job."""


class NoMemoryError(SteatosisError, MemoryError):
    """The memory of a device cannot hold what must be computed at once."""


class SteatosisWarning(RuntimeWarning):
    """Something is worse than it need be, and the user can mend it; the work goes on."""
