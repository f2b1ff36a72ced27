"""The slides of a study: each analysed on its own, side by side, and one table of all."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..core.errors import BadValueError, CannotOpenError, SteatosisError, StoreBusyError
from ..core.replacing import replacing
from ..core.report import Report
from ..core.study import SlideFacts
from ..io._pdf import check_pdf
from ..models._threads import threads
from ._cohort_pool import run_rows
from ._cohort_process import Settings, SlideState
from ._cohort_record import Outcome, Record, asked_of
from ._manifest import Row, read_rows, with_model
from ._manifest_choices import counting_of
from .analyse import DEFAULT_MODEL
from .slides import write_slides
from .study import study_of

Manifest = str | os.PathLike[str] | Sequence[str | os.PathLike[str] | Mapping[str, Any]]

RECORD = "cohort.jsonl"
FAILED = "failed.csv"
RETRY = "the same call of cohort, with retry_failed=True"
GB_PER_JOB = 1.5
"""Memory that one process is taken to need: the peak of a whole analysis, and some room."""


@dataclass(frozen=True, eq=False)
class Cohort:
    """What became of the slides of a study.

    Parameters
    ----------
    folder : Path
        Where the results are.
    reports : tuple of Report
        Of the finished slides, in the order of the manifest; without their tables.
    failed : mapping of str to str
        Name of a slide to why it failed.
    left : tuple of str
        Names of the slides that are not finished and have not failed.
    files : tuple of Path
        ``slides.csv``, and its tables of patients, visits, changes, groups and agreement, and
        ``failed.csv``, where there are any; ``cohort.html``, and ``cohort.pdf`` if asked for.
    """

    folder: Path
    reports: tuple[Report, ...]
    failed: Mapping[str, str]
    left: tuple[str, ...]
    files: tuple[Path, ...]


def cohort(
    manifest: Manifest,
    out: str | os.PathLike[str],
    *,
    jobs: int = 1,
    retry_failed: bool = False,
    on_state: Callable[[SlideState], None] = lambda state: None,
    **options: Any,
) -> Cohort:
    r"""Analyse the slides of a study as `analyse` does, several at a time, and tabulate them.

    The same call goes on where it was stopped, by whatever: finished slides are kept if they
    are still what is asked for, others are resumed, failed ones are tried again. A slide that
    fails, even by running out of memory, does not end the others.

    Slides are analysed in processes of their own, so a script must make this call below
    ``if __name__ == "__main__":``.

    Parameters
    ----------
    manifest : path, or sequence of mapping or path
        CSV with the column ``path`` (or ``slide``), and as wanted ``name`` (of the results),
        ``patient``, ``visit``, ``group``, ``expert``, ``um_per_px`` (or ``mpp``), ``model``,
        ``regions``, ``region_class``, ``exclude``, ``tissue``, ``zones``, ``hepatocytes``,
        ``stain``, ``reference``, ``srgb``, ``swap_red_blue``; other columns are passed over.
        Relative paths start from its folder. Or such rows, or the slides themselves.
    out : path
        Folder for the results of all slides.
    jobs : int
        Slides at a time; each process has its share of the processors.
    retry_failed : bool
        Do nothing but the slides that failed when they were last tried.
    on_state : callable
        Called with each `SlideState`.
    **options
        `model`, `device`, `precision`, `overwrite`, `accept_unreadable`, `calibration`, `stain`,
        `reference`, `hepatocytes` and `pdf` as in `analyse`; `retry` (how the page says that
        failed slides are tried again); `client` (a dask ``Client``) or `scheduler` (its
        address), whose workers compute the tiles of all slides; `should_stop` (callable).

    Returns
    -------
    Cohort

    Raises
    ------
    CannotOpenError, BadValueError
        Where the manifest cannot be used; nothing was computed, and every row is named.
    StoreBusyError
        Where another process is at work on the same folder.

    Examples
    --------
    >>> import tempfile
    >>> import napari_steatosis as st
    >>> st.cohort([{"path": "nowhere.svs"}], tempfile.mkdtemp())
    Traceback (most recent call last):
        ...
    napari_steatosis.core.errors.BadValueError: The list of slides: nothing was computed, ...
    """
    if options.get("pdf"):
        check_pdf()
    rows = with_model(read_rows(manifest), options.pop("model", DEFAULT_MODEL))
    should_stop, retry = options.pop("should_stop", lambda: False), options.pop("retry", RETRY)
    settings = _settings(Path(out).absolute(), jobs, options)
    with _alone(settings.out):
        record = Record(settings.out / RECORD)
        reports: dict[str, Report] = {}
        kept_by = replace(settings, overwrite=settings.overwrite and not retry_failed)
        for row in rows:
            if (report := record.finished(row, kept_by)) is not None:
                reports[row.name] = report
                on_state(SlideState(row, "kept", report=report))
        due = [row for row in rows if row.name not in reports]
        if retry_failed:
            due = [row for row in due if record.failed(row.name)]
        try:
            for state in run_rows(due, settings, jobs=jobs, should_stop=should_stop):
                _note(record, state, settings)
                if state.report is not None:
                    reports[state.row.name] = state.report
                on_state(state)
        finally:
            result = _result(rows, reports, record, settings, retry=retry)
    return result


def _settings(out: Path, jobs: int, options: dict[str, Any]) -> Settings:
    if jobs < 1:
        raise BadValueError(f"jobs is {jobs}; at least one slide must be analysed at a time.")
    _check_memory(jobs)
    counting_of(str(options.get("hepatocytes", "")))
    if (client := options.pop("client", None)) is not None:
        options["scheduler"] = client.scheduler.address
    return Settings(out, threads=max(1, threads() // jobs), **options)


def _check_memory(jobs: int) -> None:
    import psutil

    free_gb = psutil.virtual_memory().available / 1e9
    if jobs > 1 and jobs * GB_PER_JOB > free_gb:
        raise BadValueError(
            f"{jobs} slides at a time need about {jobs * GB_PER_JOB:.1f} GB of memory, and "
            f"{free_gb:.1f} GB are free. Use {max(1, int(free_gb / GB_PER_JOB))} (--jobs)."
        )


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(out / "cohort.lock"))
        lock.acquire(timeout=0)
    except OSError as error:
        if not isinstance(error, Timeout):
            raise CannotOpenError(
                f"{out} cannot be written ({error}). Choose another folder for the results (--out)."
            ) from error
        raise StoreBusyError(
            f"Another process analyses a cohort into {out}. Wait for it, or choose another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _note(record: Record, state: SlideState, settings: Settings) -> None:
    name = state.row.name
    if state.state == "failed":
        record.add(Outcome(name, error=state.error))
    elif state.report is not None:
        content = str(state.report.provenance["content"])
        try:
            asked = asked_of(state.row, settings)
        except (SteatosisError, OSError):
            asked = ""  # the slide went away meanwhile; the next call looks at it again
        record.add(Outcome(name, asked, content))


def _result(
    rows: Sequence[Row],
    reports: Mapping[str, Report],
    record: Record,
    settings: Settings,
    *,
    retry: str,
) -> Cohort:
    """Write the tables and the page of what there is, and return it."""
    out = settings.out
    done = tuple(reports[row.name] for row in rows if row.name in reports)
    others = [row for row in rows if row.name not in reports]
    failed = {r.name: record.outcomes[r.name].error for r in others if record.failed(r.name)}
    left = tuple(row.name for row in others if row.name not in failed)
    files = []
    if done:
        facts = {r.name: SlideFacts(r.patient, r.visit, r.group, r.expert) for r in rows}
        study = study_of(done, facts, failed=failed, left=left, calibration=settings.calibration)
        files += write_slides(replace(study, retry=retry), out, pdf=settings.pdf)
    if failed:
        files.append(_write_failed([row for row in rows if row.name in failed], failed, out))
    else:
        (out / FAILED).unlink(missing_ok=True)
    return Cohort(out, done, failed, left, tuple(files))


def _write_failed(rows: Sequence[Row], errors: Mapping[str, str], out: Path) -> Path:
    """Write the rows of the manifest that failed, with row number and reason."""
    columns = list(dict.fromkeys(column for row in rows for column in row.cells))
    own = ("row", "results", "error")
    columns = [column for column in columns if column not in own]
    with (
        replacing(out / FAILED, overwrite=True) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.DictWriter(file, [*columns, *own], restval="")
        table.writeheader()
        for row in rows:
            kept = {column: row.cells.get(column, "") for column in columns}
            table.writerow(
                {**kept, "row": row.number, "results": row.name, "error": errors[row.name]}
            )
    return out / FAILED
