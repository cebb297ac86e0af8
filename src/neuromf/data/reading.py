"""NIfTI and FreeSurfer files to volumes; files that cannot be used are refused with the reason."""

from __future__ import annotations

import math
import warnings
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from isal import isal_zlib
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling
from numpy.typing import NDArray

from neuromf.data.inflate import inflate
from neuromf.data.orientation import header_affine
from neuromf.data.volume import ENDINGS, Volume, VolumeError, Voxels, require_file
from neuromf.reporting.slices import Picture, slices

HEAD = 1024  # bytes that hold any header
TRAILING = 1 << 20  # bytes after the voxels that are let pass: tags of MGH, padding
LARGEST_BYTES = 2_000_000_000  # of a volume as float32: 0.4 mm of a whole head has a fifth

UNREADABLE: tuple[Any, ...] = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, OverflowError, MemoryError),
    *(zlib.error, isal_zlib.error, ImageFileError, HeaderDataError),
)


def read_volume(path: Path, assume_orientation: str = "") -> Volume:
    """Return the image in a file, as `read_labels` does. Raises VolumeError for one whose voxels
    are all equal, too.
    """
    volume = read_labels(path, assume_orientation)
    voxels = volume.voxels
    if voxels.min() == voxels.max():
        raise VolumeError(f"{path}: every voxel is {voxels.flat[0]:g}: there is nothing to see")
    return volume


def read_labels(path: Path, assume_orientation: str = "") -> Volume:
    """Return the volume in a .nii, .nii.gz or .mgz file or a .hdr/.img pair, in the file's
    own axis order; its voxels may all be equal, as those of an empty mask are.

    NaN and infinite voxels become the smallest finite value, with a note. `assume_orientation`,
    axis codes such as LAS, is used if the header gives no orientation. Raises VolumeError for
    everything that is not one finite 3D image.
    """
    try:
        with warnings.catch_warnings():
            # nibabel's on odd headers: what matters is refused or noted below
            warnings.simplefilter("ignore")
            image = _open(path)
            notes: list[str] = []
            shape = _spatial(path, image.shape)
            affine = header_affine(path, image, shape, assume_orientation, notes)
            voxels, too_large = _values(path, image)
    except VolumeError:
        raise
    except OverflowError:
        raise VolumeError(
            f"{path}: its header holds numbers that no volume has: repair it, or fetch it again"
        ) from None
    except UNREADABLE as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise VolumeError(f"{path}: not readable as a volume ({first})") from None
    return Volume(_finite(path, voxels.reshape(shape), too_large, notes), affine, tuple(notes))


def _open(path: Path) -> Any:
    """Return the nibabel image; a compressed or single file is read once, into memory, as far as
    its header says.
    """
    name = path.name.lower()
    if not name.endswith(ENDINGS):
        raise VolumeError(f"{path}: a volume's name ends in {', '.join(ENDINGS)}")
    require_file(path)
    if name.endswith(".hdr"):
        return _open_pair(path)
    raw = head = path.read_bytes()
    if name.endswith((".nii.gz", ".mgz")):
        if raw[:2] != b"\x1f\x8b":
            raise VolumeError(
                f"{path}: named {path.suffix} but not compressed "
                "with gzip: rename it, or fetch it again"
            )
        head, _ = inflate(raw, HEAD)
    kind = nib.MGHImage if name.endswith((".mgz", ".mgh")) else _nifti_kind(path, head)
    needed = _announced(path, kind, head)
    if name.endswith((".nii.gz", ".mgz")):
        raw, whole = inflate(raw, needed + TRAILING)
        if not whole:
            raise VolumeError(
                f"{path}: the header announces {needed} bytes, "
                "the file holds more: repair the header"
            )
    if needed > len(raw):
        raise VolumeError(
            f"{path}: the header announces {needed} bytes, the "
            f"file holds {len(raw)}: fetch it again"
        )
    return kind.from_bytes(raw)


def _open_pair(path: Path) -> Any:
    """Return the image of a header whose voxels lie in an .img file beside it."""
    voxels = next(
        (p for p in (path.with_suffix(".img"), path.with_suffix(".IMG")) if p.exists()), None
    )
    if voxels is None:
        raise VolumeError(
            f"{path}: the header's image file {path.with_suffix('.img').name} is missing"
        )
    require_file(voxels)
    image = nib.load(path)
    _refuse_shape(path, image.shape, image.get_data_dtype())
    return image


def _announced(path: Path, kind: Any, head: bytes) -> int:
    """Return the number of bytes that a header announces, its own included. Raises VolumeError if
    it is no usable volume.
    """
    size = 284 if kind is nib.MGHImage else kind.header_class.template_dtype.itemsize
    if len(head) < size:
        raise VolumeError(
            f"{path}: the file breaks off inside its header, "
            f"after {len(head)} bytes: fetch it again"
        )
    header = kind.header_class(head[:size], check=False)
    start = float(size if kind is nib.MGHImage else header["vox_offset"])
    if not 0 <= start < LARGEST_BYTES:
        raise VolumeError(
            f"{path}: the header says that the voxels begin at byte {start:g}: repair the header"
        )
    shape = tuple(int(n) for n in header.get_data_shape())
    _refuse_shape(path, shape, header.get_data_dtype())
    return int(start) + math.prod(shape) * int(header.get_data_dtype().itemsize)


def _nifti_kind(path: Path, raw: bytes) -> Any:
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        head = raw[: kind.header_class.template_dtype.itemsize]
        if len(head) == kind.header_class.sizeof_hdr and kind.header_class.may_contain_header(head):
            return kind
    raise VolumeError(f"{path}: holds no NIfTI header (its first bytes are {raw[:12]!r})")


def _refuse_shape(path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    """Raise VolumeError if a header announces anything but one 3D image of one number per
    voxel, or no MRI.
    """
    if dtype.fields is not None:
        raise VolumeError(
            f"{path}: holds colours ({', '.join(dtype.names)} a voxel); one grey value is needed"
        )
    if dtype.kind == "c":
        raise VolumeError(f"{path}: holds complex numbers; save their magnitude first")
    spatial = _spatial(path, shape)
    size = math.prod(spatial)
    if 4 * size > LARGEST_BYTES:
        raise VolumeError(
            f"{path}: the header announces {size * dtype.itemsize} bytes, "
            f"{' x '.join(map(str, spatial))} voxels: no MRI has as many "
            f"({LARGEST_BYTES / 1e9:g} GB as float32 is the limit); repair the header"
        )


def _spatial(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (D, H, W), leaving out trailing dimensions of 1. Raises VolumeError for anything
    but one 3D image.
    """
    shape = tuple(int(n) for n in shape)
    if any(n < 1 for n in shape) or not shape:
        raise VolumeError(f"{path}: has no voxels (shape {shape})")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) > 3:
        raise VolumeError(
            f"{path}: is {len(shape)}D, shape {shape}: save one of its volumes as a 3D file"
        )
    if len(shape) < 3 or min(shape) < 2:
        raise VolumeError(f"{path}: is a single slice, shape {shape}: a volume is needed")
    return shape  # type: ignore[return-value]


def _values(path: Path, image: Any) -> tuple[Voxels, int]:
    """Return the scaled voxels as float32, and how many were too large for it.

    They are scaled a slice at a time, so that a wider type is never held as a whole.
    """
    stored = _stored(image)
    if stored.dtype == object:
        raise VolumeError(f"{path}: holds no numbers")
    slope, inter = np.asanyarray(image.dataobj.slope), np.asanyarray(image.dataobj.inter)
    voxels = np.empty(stored.shape, np.float32, order="F")
    too_large = 0
    for index in range(stored.shape[2]):
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = apply_read_scaling(stored[:, :, index], slope, inter)
            voxels[:, :, index] = scaled
        if scaled.dtype.itemsize > 4 and scaled.dtype.kind == "f":
            too_large += int((np.isfinite(scaled) & ~np.isfinite(voxels[:, :, index])).sum())
    return voxels, too_large


def _stored(image: Any) -> NDArray[Any]:
    """Return the voxels as they are stored, without a copy where the file is in memory."""
    proxy = image.dataobj
    buffer = getattr(proxy.file_like, "getbuffer", None)
    if buffer is None:
        return np.asarray(proxy.get_unscaled())
    return np.ndarray(proxy.shape, proxy.dtype, buffer(), int(proxy.offset), order="F")


def _finite(path: Path, voxels: Voxels, too_large: int, notes: list[str]) -> Voxels:
    """Return the voxels with NaN and Inf set to the smallest finite value. Raises VolumeError if
    nothing is left.
    """
    finite = np.isfinite(voxels)
    if not finite.all():
        count = int(voxels.size - finite.sum())
        kinds = {
            "too large for float32 (beyond 3.4e38)": too_large,
            "NaN or infinite": count - too_large,
        }
        if count == voxels.size:
            raise VolumeError(
                f"{path}: every voxel is {' or '.join(k for k, n in kinds.items() if n)}"
            )
        notes += [
            f"{n} voxels were {kind}: set to the smallest value" for kind, n in kinds.items() if n
        ]
        voxels = np.where(finite, voxels, voxels[finite].min())

    return voxels


def picture(path: Path) -> Picture:
    """Return three slices of a volume for a contact sheet, at most 128 voxels per side; grey if it
    cannot be read.
    """
    try:
        volume = read_volume(path)
    except VolumeError:
        return np.full((64, 192), 128, np.uint8)
    step = max(1, -(-max(volume.voxels.shape) // 128))
    return slices(np.asarray(volume.voxels)[::step, ::step, ::step])
