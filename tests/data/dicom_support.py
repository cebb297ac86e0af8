"""Series of DICOM files whose content is known."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

SHAPE, MM = (40, 44, 36), 3.0  # a volume that could hold a brain
CORNER = (8, 32, 26)  # where it is brightest
KNOWN = {
    "Modality": "MR", "Manufacturer": "SIEMENS", "PatientID": "P1", "PatientName": "Doe^Jane",
    "PatientAge": "040Y", "PatientSex": "F", "StudyDate": "20200101", "SeriesNumber": 1,
    "SeriesDescription": "T1 MPRAGE", "ImageType": ["ORIGINAL", "PRIMARY", "M"],
    "MagneticFieldStrength": 3, "RepetitionTime": 2300, "EchoTime": 2.9,
}  # fmt: skip


def head_like():
    """A block with a bright corner: no axis can be flipped or exchanged unseen."""
    volume = np.zeros(SHAPE)
    volume[6:34, 6:38, 6:30] = 100
    x, y, z = CORNER
    volume[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2] = 900
    return volume


def position(row=(1, 0, 0), column=(0, 1, 0), origin=(0, 0, 0), index=CORNER, mm=MM):
    """Where a voxel lies in RAS mm; DICOM's patient axes point left, posterior and up."""
    row, column = np.array(row, float), np.array(column, float)
    normal = np.cross(row, column)
    lps = np.array(origin) + mm * (index[0] * row + index[1] * column + index[2] * normal)
    return lps * [-1, -1, 1]


def write_series(
    folder: Path, *, row=(1, 0, 0), column=(0, 1, 0), origin=(0, 0, 0), mm=MM, volume=None,
    missing=(), slope=None, uid=None, **tags,
) -> None:  # fmt: skip
    """Write a series, a file a slice. `tags` are DICOM attributes, `uid` that of the series."""
    folder.mkdir(parents=True, exist_ok=True)
    volume = head_like() if volume is None else volume
    row, column = np.array(row, float), np.array(column, float)
    normal, series = np.cross(row, column), uid or generate_uid()
    known = KNOWN | tags
    study = generate_uid(entropy_srcs=[known["PatientID"], known["StudyDate"]])

    for k in range(volume.shape[2]):
        if k in missing:
            continue
        data, meta = Dataset(), FileMetaDataset()
        meta.MediaStorageSOPClassUID = data.SOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta = meta
        for name, value in known.items():
            setattr(data, name, value)

        data.StudyInstanceUID, data.SeriesInstanceUID, data.InstanceNumber = study, series, k + 1
        data.SeriesDate = data.AcquisitionDate = known["StudyDate"]
        data.StudyTime = data.AcquisitionTime = "120000"
        data.SliceThickness, data.PixelSpacing = mm, [mm, mm]
        data.ImageOrientationPatient = [*row, *column]
        data.ImagePositionPatient = list(np.array(origin, float) + normal * mm * k)
        pixels = volume[:, :, k].T.astype(np.uint16)
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
        data.PixelRepresentation, data.PixelData = 0, pixels.tobytes()
        if slope:
            data.RescaleSlope, data.RescaleIntercept = slope
        name = f"{known['PatientID']}-{known['StudyDate']}-{known['SeriesNumber']}-{k:03d}.dcm"
        data.save_as(folder / name, enforce_file_format=True)


def write_enhanced(
    folder: Path, *, row=(1, 0, 0), column=(0, 1, 0), origin=(0, 0, 0), mm=MM, slope=(1.0, 0.0),
    **tags,
) -> None:  # fmt: skip
    """Write a series as one enhanced file, a frame a slice; the last slice comes first. What all
    frames share and what each has of its own lie in sequences (DICOM PS3.3, C.7.6.16).
    """
    folder.mkdir(parents=True, exist_ok=True)
    volume, known = head_like(), KNOWN | tags
    row, column = np.array(row, float), np.array(column, float)
    normal = np.cross(row, column)
    data, meta = Dataset(), FileMetaDataset()
    meta.MediaStorageSOPClassUID = data.SOPClassUID = EnhancedMRImageStorage
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta = meta
    for name in known.keys() - {"EchoTime", "RepetitionTime"}:
        setattr(data, name, known[name])
    data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
    data.SeriesDate = data.AcquisitionDate = data.ContentDate = known["StudyDate"]
    data.StudyTime = data.AcquisitionTime = data.ContentTime = "120000"
    data.AcquisitionDateTime, data.InstanceNumber = known["StudyDate"] + "120000", 1

    organisation = generate_uid()
    data.DimensionOrganizationSequence = [of(DimensionOrganizationUID=organisation)]
    data.DimensionIndexSequence = [
        of(
            DimensionOrganizationUID=organisation,
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=0x00209111,
        )
        for pointer in (0x00209056, 0x00209057)  # stack, position in it
    ]
    data.SharedFunctionalGroupsSequence = [
        of(
            PixelMeasuresSequence=[
                of(PixelSpacing=[mm, mm], SliceThickness=mm, SpacingBetweenSlices=mm)
            ],
            PlaneOrientationSequence=[of(ImageOrientationPatient=[*row, *column])],
            PixelValueTransformationSequence=[
                of(RescaleSlope=slope[0], RescaleIntercept=slope[1], RescaleType="US")
            ],
            MREchoSequence=[of(EffectiveEchoTime=known["EchoTime"])],
            MRTimingAndRelatedParametersSequence=[
                of(RepetitionTime=known["RepetitionTime"], FlipAngle=9.0)
            ],
        )
    ]
    slices = list(reversed(range(volume.shape[2])))
    data.PerFrameFunctionalGroupsSequence = [
        of(
            FrameContentSequence=[
                of(StackID="1", InStackPositionNumber=k + 1, DimensionIndexValues=[1, k + 1])
            ],
            PlanePositionSequence=[
                of(ImagePositionPatient=list(np.array(origin, float) + normal * mm * k))
            ],
        )
        for k in slices
    ]

    pixels = np.stack([volume[:, :, k].T for k in slices]).astype(np.uint16)
    data.NumberOfFrames, data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation, data.PixelData = 0, pixels.tobytes()
    data.save_as(folder / f"{known['PatientID']}-enhanced.dcm", enforce_file_format=True)


def of(**values) -> Dataset:
    """Return an item of a sequence."""
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item
