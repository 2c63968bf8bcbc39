"""What is known about a camera and about true lengths, as files and records: the edge of calibration."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinesphere.errors import CorruptObject, InvalidInput, NewerFormat, NotFound
from kinesphere.names import checked_name

if TYPE_CHECKING:
    from kinesphere.objects.store import Objects

FORMAT_VERSION = 1

_SAME_SHAPE = 0.01
"""Pictures whose width over height differs by less show the same field; 1 % allows for sizes rounded to even."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CameraCalibration(_Model):
    """The pinhole camera with Brown-Conrady distortion that was found for a camera, and how well it is known.

    Lengths are pixels of the upright picture, measured from its top left corner (OpenCV measures from the centre of
    the first pixel, half a pixel less). `distortion` is k1 k2 p1 p2 k3 as OpenCV has them, free of units.
    """

    format_version: int = FORMAT_VERSION
    camera: str
    device: str = ""
    """Name of the source that showed the board; recordings from it take this calibration by themselves."""
    image_width: Annotated[int, Field(gt=0)]
    image_height: Annotated[int, Field(gt=0)]
    fx: Annotated[float, Field(gt=0)]
    fy: Annotated[float, Field(gt=0)]
    cx: float
    cy: float
    distortion: tuple[float, float, float, float, float]
    fx_sd: float
    fy_sd: float
    cx_sd: float
    cy_sd: float
    """Standard deviations in pixels."""
    reprojection_error: float
    """RMS distance in pixels between corners found and corners predicted."""
    views: int
    created_at: datetime

    def intrinsics(self, width: int, height: int) -> dict[str, Any]:
        """The camera for pictures of another size that show the same field.

        Args:
            width: of the pictures, in pixels.
            height: of the pictures, in pixels.

        Returns:
            `fx`, `fy`, `cx`, `cy` and their standard deviations in pixels, `distortion`, `source` "calibrated" and
            the `camera`'s name: what a trajectory keeps.

        Raises:
            InvalidInput: the pictures have another shape, so it is not known which part of the field they show.
        """
        across, down = width / self.image_width, height / self.image_height
        if abs(across / down - 1) > _SAME_SHAPE:
            raise InvalidInput(
                f"camera '{self.camera}' was calibrated at {self.image_width}x{self.image_height}, which has another "
                f"shape than {width}x{height}; calibrate it again at that size"
            )
        scaled = {
            name: getattr(self, name) * factor
            for axis, factor in (("x", across), ("y", down))
            for name in (f"f{axis}", f"c{axis}", f"f{axis}_sd", f"c{axis}_sd")
        }
        return {**scaled, "distortion": list(self.distortion), "source": "calibrated", "camera": self.camera}

    def to_bytes(self) -> bytes:
        """The content of the camera's file.

        Returns:
            Indented JSON.
        """
        return (self.model_dump_json(indent=2) + "\n").encode()


class KnownLength(_Model):
    """A true length that lifts a recording from the size of a model human to metres."""

    kind: Literal["height", "board", "sheet"]
    """The contributor's own height, or the calibration board or a sheet of paper, held in a hand at the beginning."""
    metres: Annotated[float | None, Field(gt=0.5, lt=2.6)] = None
    """The contributor's height, in shoes as recorded."""
    paper: Literal["a4", "letter"] | None = None
    """Which sheet of paper."""


def camera_key(camera: str) -> str:
    """Key of a camera's calibration."""
    return f"cameras/{camera}.json"


def write_camera(objects: Objects, calibration: CameraCalibration) -> None:
    """Store a camera's calibration in place of an earlier one. Recordings made before keep what they hold.

    Args:
        objects: an object store.
        calibration: as measured; it names the camera.

    Raises:
        InvalidInput: the camera's name cannot be part of a key.
    """
    objects.put(camera_key(checked_name("camera", calibration.camera)), calibration.to_bytes())


def read_camera(objects: Objects, camera: str) -> CameraCalibration:
    """Read a camera's calibration.

    Args:
        objects: an object store.
        camera: name of the camera.

    Returns:
        The newest one of this camera.

    Raises:
        NotFound: nobody has calibrated a camera of this name.
        NewerFormat: a later release wrote it.
        CorruptObject: it is not a calibration.
    """
    known = list_cameras(objects)
    if camera not in known:
        raise NotFound("calibrated camera", camera, known, "calibrate one with: kinesphere calibrate --help")
    key = camera_key(camera)
    try:
        found = CameraCalibration.model_validate_json(objects.get(key))
    except ValidationError as error:
        raise CorruptObject(f"object '{key}' is no calibration: {error.errors()[0]['msg']}") from error
    if found.format_version > FORMAT_VERSION:
        raise NewerFormat(f"object '{key}'", found.format_version, FORMAT_VERSION)
    return found


def list_cameras(objects: Objects) -> list[str]:
    """The names of the calibrated cameras, sorted."""
    names = (key.rsplit("/", 1)[-1] for key in objects.keys("cameras"))
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def camera_of(objects: Objects, device: str) -> CameraCalibration | None:
    """The newest calibration that was made with a device, by the name that the device gives itself.

    Args:
        objects: an object store.
        device: its own name; an empty one is of no camera.

    Returns:
        None if nobody has calibrated it.
    """
    found = [read_camera(objects, name) for name in list_cameras(objects)]
    of_device = [calibration for calibration in found if device and calibration.device == device]
    return max(of_device, key=lambda calibration: calibration.created_at, default=None)
