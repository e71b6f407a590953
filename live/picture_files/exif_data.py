"""EXIF of the result: what describes the picture, without thumbnails and without the orientation, which is applied."""

from __future__ import annotations

from PIL import Image
from PIL.ExifTags import IFD, Base

# The tags of the first directory that describe the picture. In a TIFF file it also holds those of the pixels.
_KEPT = (
    Base.ImageDescription, Base.Make, Base.Model, Base.XResolution, Base.YResolution, Base.ResolutionUnit,
    Base.Software, Base.DateTime, Base.Artist, Base.HostComputer, Base.Rating, Base.RatingPercent, Base.Copyright,
    Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject,
)  # fmt: skip
_LEFT_OUT = (Base.MakerNote, Base.ExifInteroperabilityOffset)  # maker notes hold previews of the unpainted picture


def orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if there is none or the EXIF is damaged."""
    try:
        return int(picture.getexif().get(Base.Orientation, 1))
    except Exception:  # damaged metadata does not make the picture unusable
        return 1


def with_note(exif: bytes, note: str) -> bytes:
    """Return an EXIF block whose description also says `note`."""
    if not note:
        return exif
    block = Image.Exif()
    if exif:
        block.load(exif)
    own = str(block.get(Base.ImageDescription, "")).strip().encode("latin-1", "replace")  # as Pillow decodes it
    block[Base.ImageDescription] = b"; ".join(filter(None, (own, note.encode())))
    return block.tobytes()


def kept_exif(picture: Image.Image) -> bytes:
    """Return the EXIF block for the result; b"" if there is none or it is damaged.

    Left out: the thumbnail and maker notes, which show the unpainted picture, and the orientation.
    """
    try:
        found, kept = picture.getexif(), Image.Exif()
        for tag in _KEPT:
            if tag in found:
                value = found[tag]  # text that Pillow read as Latin-1 is written as the bytes it was
                kept[tag] = value.encode("latin-1", "replace") if isinstance(value, str) else value
        for ifd in (IFD.Exif, IFD.GPSInfo):
            values = {tag: value for tag, value in found.get_ifd(ifd).items() if tag not in _LEFT_OUT}
            if values:
                kept[ifd] = values
        return kept.tobytes() if len(kept) else b""
    except Exception:  # damaged metadata does not make the picture unusable
        return b""
