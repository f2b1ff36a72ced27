"""Samples from the names of files: images beside masks, class folders, points beside images."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from .marks import GEOJSON
from .pictures import SUFFIXES

MASK = r"(?:masks?|manual|annot\w*|labels?|gt|ground[ _-]?truth|segm?\w*|macro|micro)"
MASK_FOLDER = re.compile(rf"(?:^|[^a-z0-9]){MASK}(?=$|[^a-z0-9])", re.IGNORECASE)
MASK_NAME = re.compile(rf"[ _.-]?{MASK}$", re.IGNORECASE)
IMAGE_FOLDER = re.compile(
    r"(?:original[ _-]?)?(?:images?|imgs?|tiles|patches|rgb|raw|h&?e|original)", re.IGNORECASE
)
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
GRADE = re.compile(r"[a-z]?\d[a-c]?", re.IGNORECASE)
"""A class folder that is known as one by its name: F0, S2, 1a."""

POINT_NAME = re.compile(r"[ _.-]?(?:points?|markers?|shapes?|annotations?)$", re.IGNORECASE)
PATIENT = re.compile(r"(?P<hepass>\d{7})_\d{1,2}|(?P<tcga>TCGA-\w\w-\w{4}).*")
PREFIX = (
    "Patients are taken from the beginnings of the file names. Several names may belong to one "
    "patient: without a table of patients the groups are a lower bound."
)
SLIDES = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".svslide", ".dcm", ".zarr")
SLIDE_TIFFS = (".ome.tif", ".ome.tiff", ".qptiff")


@dataclass
class Found:
    """What a folder holds, file by file.

    Parameters
    ----------
    rows : list of mapping
        Fields of a `Sample`, one mapping per image.
    notes : list of str
        What was taken for granted.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def patient_of(stem: str) -> str:
    """Return the patient that a file name begins with, empty where it follows no known rule.

    Examples
    --------
    >>> patient_of("1001001_16"), patient_of("TCGA-BC-A10Q-01Z-00-DX1"), patient_of("a107")
    ('1001001', 'TCGA-BC-A10Q', '')
    """
    found = PATIENT.fullmatch(stem)
    return "" if found is None else found["hepass"] or found["tcga"]


def split_of(parts: Sequence[str]) -> str:
    """Return the official set that a folder of a path names, empty where none does.

    Examples
    --------
    >>> split_of(["set", "TRAIN_extracted", "F0"]), split_of(["Validation"]), split_of(["F1"])
    ('train', 'val', '')
    """
    return next((SPLITS[word] for word in map(_word, parts) if word in SPLITS), "")


def is_slide(name: str) -> bool:
    """Say whether a file is a slide by its suffix."""
    return name.lower().endswith((*SLIDES, *SLIDE_TIFFS))


def pictures_in(files: Sequence[str]) -> list[str]:
    """Return the pictures among files, which are no slides."""
    return [name for name in files if name.lower().endswith(SUFFIXES) and not is_slide(name)]


def samples_in(root: str, files: Sequence[str]) -> Found:
    """Find images with what belongs to each: a mask, points, outlines, a class.

    Parameters
    ----------
    root : str
        Folder or zip file.
    files : sequence of str
        Below it, with ``/``.
    """
    pictures = pictures_in(files)
    masks = _masks(pictures)
    orphans = _orphans(pictures, masks)
    taken = {*orphans, *(mask for found in masks.values() for mask in found)}
    images = [name for name in pictures if name not in taken]
    beside = _beside(images, files)
    labels = {} if masks else _labels(images)
    found = Found()
    splits: dict[str, str] = {}
    for name in images:
        folder, stem = _place(name)
        if folder not in splits:
            splits[folder] = split_of([os.path.basename(root), *folder.split("/")])
        row: dict[str, Any] = {
            "name": name,
            "path": _joined(root, name),
            "mask_path": ";".join(_joined(root, one) for one in masks.get(name, ())),
            "patient": patient_of(stem),
            "split": splits[folder],
        }
        row |= labels.get(name, {})
        row |= {key: _joined(root, one) for key, one in beside.get(name, {}).items()}
        found.rows.append(row)
    if any(patient_of(_place(name)[1]) for name in images):
        found.notes.append(PREFIX)
    if labels and any("patient" in row for row in labels.values()):
        found.notes.append("The folders inside the class folders are taken for patients.")
    if orphans:
        found.notes.append(
            f"{len(orphans)} masks have no image of the same name (first: {orphans[0]})."
        )
    return found


def _place(name: str) -> tuple[str, str]:
    """Return folder (``.`` at the root) and stem; pathlib takes ten times as long."""
    folder, _, file = name.rpartition("/")
    stem, dot, _ = file.rpartition(".")
    return folder or ".", stem if dot else file


def _word(part: str) -> str:
    return re.sub(r"(\.zip|[ _-]?extracted)$", "", part.lower())


def _key(folder: str) -> tuple[str, ...]:
    """Return what is left of a folder's path without the words for image and mask."""
    words: list[str] = []
    for part in PurePosixPath(folder).parts:
        word = MASK_FOLDER.sub("", _word(part)).strip(" _-.")
        if word and not IMAGE_FOLDER.fullmatch(word) and words[-1:] != [word]:
            words.append(word)
    return tuple(words)


def _masks(pictures: Sequence[str]) -> dict[str, list[str]]:
    """Return image to its masks: of the same stem in a folder of masks, or with a longer name."""
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    for name in pictures:
        folder, stem = _place(name)
        folders[folder].setdefault(stem, name)
    masked = [one for one in folders if any(MASK_FOLDER.search(p) for p in one.split("/"))]
    by_key: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in masked:
        by_key[_key(one)].append(one)
    found: dict[str, list[str]] = {}
    for folder in folders.keys() - set(masked):
        stems = folders[folder]
        for twin, mask in stems.items():
            stem = MASK_NAME.sub("", twin)
            if stem != twin and stem in stems:
                found.setdefault(stems[stem], [mask])
        if len(stems) == 2 and not found.keys() & set(stems.values()):
            found |= _layers(stems)
        _pair(found, stems, {one: folders[one] for one in by_key.get(_key(folder), ())})
    return found


def _layers(stems: Mapping[str, str]) -> dict[str, list[str]]:
    """Pair an image with a file that is named as a layer of labels (``Labels.tif``)."""
    (one, first), (other, second) = stems.items()
    if re.fullmatch(MASK, other, re.IGNORECASE):
        return {first: [second]}
    return {second: [first]} if re.fullmatch(MASK, one, re.IGNORECASE) else {}


def _pair(
    found: dict[str, list[str]],
    images: Mapping[str, str],
    folders: Mapping[str, Mapping[str, str]],
) -> None:
    """Add the masks of a folder of images; micro and macro are two classes of one image."""
    named = {
        folder: {MASK_NAME.sub("", stem) or stem: name for stem, name in stems.items()}
        for folder, stems in folders.items()
    }
    sizes = [word for word in ("micro", "macro") if any(word in one.lower() for one in named)]
    for stem, image in images.items():
        there = {one: stems[stem] for one, stems in sorted(named.items()) if stem in stems}
        if not there or image in found:
            continue
        if len(sizes) == 2:
            picked = [next((n for f, n in there.items() if w in f.lower()), "") for w in sizes]
            if all(picked):
                found[image] = picked
                continue
        found[image] = [next(iter(there.values()))]


def _orphans(pictures: Sequence[str], masks: Mapping[str, Sequence[str]]) -> list[str]:
    taken = {mask for found in masks.values() for mask in found}
    folders = {_place(name)[0] for name in taken}
    of_masks = {one for one in folders if any(MASK_FOLDER.search(p) for p in one.split("/"))}
    return [
        name
        for name in pictures
        if name not in taken and name not in masks and _place(name)[0] in of_masks
    ]


def _beside(images: Sequence[str], files: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return image to the points and outlines that lie beside it under the same name."""
    folders: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for name in files:
        lower = name.lower()
        kind = "annotations_path" if lower.endswith(GEOJSON) else "points_path"
        if lower.endswith((*GEOJSON, ".csv", ".npy")):
            place = PurePosixPath(name)
            stem = re.sub(r"\.(geojson(\.gz)?|json|csv|npy)$", "", place.name, flags=re.IGNORECASE)
            own = POINT_NAME.sub("", stem)
            if kind == "points_path" and re.search(r"shapes?$", stem, re.IGNORECASE):
                kind = "annotations_path"
            elif lower.endswith(".npy") and MASK_NAME.search(stem):
                kind, own = "mask_path", MASK_NAME.sub("", stem)
            folders[place.parent.as_posix()][own].append((kind, name))
    count = Counter(_place(name)[0] for name in images)
    found: dict[str, dict[str, str]] = {}
    for name in images if folders else ():
        folder, stem = _place(name)
        there = [*folders[folder][stem], *folders[folder][name.rpartition("/")[2]]]
        if count[folder] == 1:
            there += folders[folder][""]  # layers of the one image: Points.csv, Shapes.csv
        if there:
            found[name] = dict(reversed(there))
    return found


def _labels(images: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return image to its class (and patient) where folders name classes."""
    folders = {_place(name)[0] for name in images}
    parts = {
        one: [
            part
            for part in PurePosixPath(one).parts
            if _word(part) not in SPLITS and not IMAGE_FOLDER.fullmatch(_word(part))
        ]
        for one in folders
    }
    level = _class_level(list(parts.values()))
    if level is None:
        return {}
    found = {}
    for name in images:
        own = parts[_place(name)[0]]
        found[name] = {"label": own[level]}
        if len(own) > level + 1:
            found[name]["patient"] = own[level + 1]
    return found


def _class_level(folders: Sequence[Sequence[str]]) -> int | None:
    """Return which part of the paths is the class: known grades, else the first that differs."""
    depth = min((len(parts) for parts in folders), default=0)
    values = [{parts[level] for parts in folders} for level in range(depth)]
    for level, names in enumerate(values):
        if all(GRADE.fullmatch(name) for name in names):
            return level
    return next((level for level, names in enumerate(values) if len(names) > 1), None)


def annotated_slides(files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield slides with the GeoJSON of the same name beside them.

    Examples
    --------
    >>> list(annotated_slides(["a.svs", "a.geojson", "b.ome.tif", "b.ome.geojson"]))
    [('a.svs', 'a.geojson'), ('b.ome.tif', 'b.ome.geojson')]
    """
    drawn = {}
    for name in files:
        for suffix in GEOJSON:
            if name.lower().endswith(suffix):
                drawn[name[: -len(suffix)]] = name
    for name in filter(is_slide, files):
        for stem in (name, name.rpartition(".")[0], re.sub(r"\.ome\.\w+$", "", name)):
            if stem in drawn:
                yield name, drawn[stem]
                break


def _joined(root: str, name: str) -> str:
    return f"{root.rstrip('/')}/{name}"
