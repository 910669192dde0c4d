"""Skin, masked threshold, thin bone and print-ready surfaces for scripts.

Works the same in 3D Slicer's Python console and in plain Python with the package slicer-core::

    import SkullEffects

    SkullEffects.skin(volume, segmentation, "Skin", opening_mm=8)
    SkullEffects.threshold(volume, segmentation, "Bone", mask="Skin", lower=226)
    SkullEffects.thin_bone(volume, segmentation, bone="Bone", table=table, points=points)
    model = SkullEffects.surface(segmentation, "Skin").model

Nodes are MRML nodes of one scene. Lengths are in mm, volumes in ml, intensities in the image's units (HU in CT). A segment
is given by its name or ID: one that exists is replaced, any other name makes a new segment. Where an operation cannot
succeed it raises `Error`, whose text says what to do, and nothing is changed.

Every function takes `progress`, which is called with the fraction done, 0 to 1, some twenty times a second. What it raises
cancels the operation and is raised again.
"""

import dataclasses
import difflib
import functools
import inspect
import math
import numbers

try:
    import slicer_core  # noqa: F401  (its libraries must be there before ours)

    from .vtkSlicerSkullEffectsModuleLogicPython import (
        vtkSkullEffectsSkin,
        vtkSkullEffectsThinBone,
        vtkSkullEffectsThreshold,
        vtkSlicerSkullEffectsLogic,
    )
except ImportError:  # in Slicer, which puts its modules' classes there
    from slicer import (
        vtkSkullEffectsSkin,
        vtkSkullEffectsThinBone,
        vtkSkullEffectsThreshold,
        vtkSlicerSkullEffectsLogic,
    )

__all__ = [
    "BatchItem",
    "Cancelled",
    "Error",
    "Opening",
    "SkinResult",
    "SurfaceResult",
    "ThinBoneResult",
    "ThresholdResult",
    "batch",
    "logic",
    "methods",
    "skin",
    "surface",
    "thin_bone",
    "threshold",
]


class Error(RuntimeError):
    """Why an operation did not succeed, and what to do."""


class Cancelled(Error):
    """The operation was cancelled. Nothing was changed."""


@dataclasses.dataclass(frozen=True)
class SkinResult:
    """What `skin` found.

    `modality` is "CT" or "MR"; `threshold` the lowest intensity of tissue and `noise` the standard deviation of the
    background's noise, in image units; `touched_faces` are the faces of the volume that the head touches, as letters among
    RLAPSI.
    """

    segment_id: str
    volume_ml: float
    modality: str
    threshold: float
    noise: float
    cut_off_ml: float
    touched_faces: str
    warnings: tuple


@dataclasses.dataclass(frozen=True)
class ThresholdResult:
    """What `threshold` selected; `lower` and `upper` are the bounds that were used, infinite where there was none."""

    segment_id: str
    volume_ml: float
    voxels: int
    lower: float
    upper: float
    islands_removed: int
    holes_filled: int
    warnings: tuple


@dataclasses.dataclass(frozen=True)
class Opening:
    """An opening of the bone: `verdict` is "filled", "open" or "undecided" (which stays open), `decided` whether it is the
    user's, `center` in the volume's RAS.

    `residual` is the wall that its middle shows, as a share of that around it (NaN where that cannot be measured),
    `residual_se` the standard error and `residual_if_empty` what it would be if the opening were empty; `media_hu` are the HU on
    both sides.
    """

    verdict: str
    decided: bool
    diameter_mm: float
    center: tuple
    residual: float
    residual_se: float
    residual_if_empty: float
    media_hu: tuple


@dataclasses.dataclass(frozen=True)
class ThinBoneResult:
    """What `thin_bone` put back: `volume_ml` of it, and every opening, largest first.

    `fwhm_mm` is the scanner's blur, in-plane and through-plane; `thinnest_seen_mm` the thinnest wall next to air that the
    scan shows at one place; `smallest_hole_mm` the smallest hole that it shows to be empty.
    """

    segment_id: str
    volume_ml: float
    fwhm_mm: tuple
    thinnest_seen_mm: float
    smallest_hole_mm: float
    openings: tuple
    warnings: tuple


@dataclasses.dataclass(frozen=True)
class SurfaceResult:
    """What `surface` made: the model node and its measures."""

    model: object
    volume_ml: float
    area_cm2: float
    closed_manifold: bool
    components: int


@dataclasses.dataclass(frozen=True)
class BatchItem:
    """One volume of a batch: its segmentation with the result, or the error."""

    volume: object
    segmentation: object
    result: object
    error: object


def _says_what_is_misspelt(function):
    """A function whose unknown keywords raise with the one that was meant."""

    @functools.wraps(function)
    def checked(*arguments, **keywords):
        _check_names(function, keywords)
        return function(*arguments, **keywords)

    return checked


def _check_names(function, keywords):
    names = list(inspect.signature(function).parameters)
    for keyword in keywords:
        if keyword not in names:
            close = difflib.get_close_matches(keyword, names, n=1, cutoff=0.5)
            meant = f": did you mean {close[0]}?" if close else f"; it has {', '.join(names)}"
            raise TypeError(f"{function.__name__} has no parameter {keyword}{meant}")


@_says_what_is_misspelt
def skin(
    volume,
    segmentation,
    segment="Skin",
    *,
    modality="auto",
    threshold=None,
    opening_mm=8.0,
    keep_airways=False,
    editor=None,
    progress=None,
):
    """The solid head: one part without holes, no table, tubes or noise.

    :param volume: the scalar volume node, MR or CT.
    :param segmentation: the segmentation node; with no reference geometry yet it gets the volume's.
    :param segment: name or ID of the segment to set (default "Skin").
    :param modality: "auto" (default), "CT" or "MR".
    :param threshold: lowest intensity of tissue, in image units (HU in CT); default None: found from the image.
    :param opening_mm: openings (nostrils, ear canals, mouth) up to this diameter, in mm, are sealed; 0 to 100 (default 8).
    :param keep_airways: leave air spaces that reach the outside open (default False).
    :param editor: a vtkSlicerSegmentEditorLogic whose masking, overwriting and undo apply (default: none do).
    :param progress: called with the fraction done, 0 to 1.
    :return: `SkinResult`.
    :raises Error: with what to do.
    """
    operation = vtkSkullEffectsSkin()
    operation.SetModality(_choice("modality", modality, ("auto", "CT", "MR")))
    if threshold is not None:
        operation.SetThreshold(_number("threshold", threshold))
    operation.SetOpeningMm(_number("opening_mm", opening_mm, 0, 100))
    operation.SetKeepAirways(_flag("keep_airways", keep_airways))
    segment_id = _apply(operation, volume, segmentation, segment, editor, progress)
    return SkinResult(
        segment_id,
        operation.GetVolumeMl(),
        ("auto", "CT", "MR")[operation.GetFoundModality()],
        operation.GetFoundThreshold(),
        operation.GetNoise(),
        operation.GetCutOffMl(),
        operation.GetTouchedFaces(),
        _warnings(operation),
    )


@_says_what_is_misspelt
def threshold(
    volume,
    segmentation,
    segment="Bone",
    *,
    mask=None,
    invert_mask=False,
    lower=None,
    upper=None,
    method=None,
    side="high",
    preset=None,
    bins=None,
    min_depth_mm=None,
    max_depth_mm=None,
    bias_sigma_mm=None,
    min_island_ml=None,
    max_hole_ml=None,
    editor=None,
    progress=None,
):
    """What lies between two intensities, inside a mask.

    One of `lower`, `upper`, `method` and `preset` is needed. A parameter that is None is the preset's, or the default.

    :param volume: the scalar volume node.
    :param segmentation: the segmentation node; with no reference geometry yet it gets the volume's.
    :param segment: name or ID of the segment to set (default "Bone").
    :param mask: name or ID of the segment, of the same segmentation, inside of which is selected and bounds are found; or a list
        of some, inside of any of which (default: everywhere).
    :param invert_mask: select outside the mask instead (default False).
    :param lower: lowest intensity, in image units (default: no bound).
    :param upper: highest intensity, in image units (default: no bound).
    :param method: finds a bound; one of `methods()` (default: none).
    :param side: which side of the bound that the method finds is selected, "high" (default) or "low".
    :param preset: "MR skull" selects what may be skull in MR, inside a mask of the head (default: none).
    :param bins: bins of the histogram in which the method looks (default 256).
    :param min_depth_mm: select only deeper than this, in mm, below the mask's surface (default 0).
    :param max_depth_mm: select only down to this depth, in mm (default: no limit).
    :param bias_sigma_mm: even out brightness on this scale, in mm, first (default 0: do not).
    :param min_island_ml: remove connected parts smaller than this, in ml (default 0: keep all).
    :param max_hole_ml: fill enclosed cavities smaller than this, in ml (default 0: fill none).
    :param editor: a vtkSlicerSegmentEditorLogic whose masking, overwriting and undo apply (default: none do).
    :param progress: called with the fraction done, 0 to 1.
    :return: `ThresholdResult`.
    :raises Error: with what to do.
    """
    if lower is None and upper is None and method is None and preset is None:
        raise TypeError("threshold needs one of lower, upper, method and preset")
    operation = vtkSkullEffectsThreshold()
    if preset is not None and _choice("preset", preset, ("MR skull",)) == 0:
        operation.SetToMRSkull()
    if method is not None:
        method = methods()[_choice("method", method, methods())]
        low = _choice("side", side, ("high", "low")) == 1
        operation.SetLowerMethod("" if low else method)
        operation.SetUpperMethod(method if low else "")
        if (upper if low else lower) is not None:
            raise TypeError(f"{'upper' if low else 'lower'} and method set the same bound: leave one out, or turn side")
    if lower is not None:
        operation.SetLowerMethod("")
        operation.SetLower(_number("lower", lower))
    if upper is not None:
        operation.SetUpperMethod("")
        operation.SetUpper(_number("upper", upper))
    if bins is not None:
        operation.SetBins(int(_number("bins", bins, 2, 65536)))
    for name, value, setter in (
        ("min_depth_mm", min_depth_mm, operation.SetMinDepthMm),
        ("max_depth_mm", max_depth_mm, operation.SetMaxDepthMm),
        ("bias_sigma_mm", bias_sigma_mm, operation.SetBiasSigmaMm),
        ("min_island_ml", min_island_ml, operation.SetMinIslandMl),
        ("max_hole_ml", max_hole_ml, operation.SetMaxHoleMl),
    ):
        if value is not None:
            setter(_number(name, value, 0))
    operation.SetInvertMask(_flag("invert_mask", invert_mask))
    if mask is not None:
        for name in [mask] if isinstance(mask, str) else mask:
            operation.AddMaskSegmentID(_segment_id(segmentation, name, "mask"))
    segment_id = _apply(operation, volume, segmentation, segment, editor, progress)
    return ThresholdResult(
        segment_id,
        operation.GetVolumeMl(),
        operation.GetVoxels(),
        operation.GetFoundLower(),
        operation.GetFoundUpper(),
        operation.GetIslandsRemoved(),
        operation.GetHolesFilled(),
        _warnings(operation),
    )


@_says_what_is_misspelt
def thin_bone(
    volume,
    segmentation,
    segment="Thin bone",
    *,
    bone="Bone",
    fwhm_mm=None,
    thinnest_mm=0.15,
    largest_opening_mm=40.0,
    roi_mm=None,
    decisions=(),
    table=None,
    points=None,
    thickness=None,
    editor=None,
    progress=None,
):
    """Bone of a CT that is thinner than a voxel, put back where the scan shows its mass. The base bone never changes.

    :param volume: the CT, a scalar volume node in HU.
    :param segmentation: the segmentation node that has the base bone.
    :param segment: name or ID of the segment to set to what is added (default "Thin bone").
    :param bone: name or ID of the segment with the base bone (default "Bone").
    :param fwhm_mm: full widths at half maximum of the scanner's blur, in-plane and through-plane, in mm (default: measured on
        the skin).
    :param thinnest_mm: the thinnest wall that is looked for, in mm (default 0.15).
    :param largest_opening_mm: openings up to the area of a circle of this diameter, in mm, are listed (default 40).
    :param roi_mm: the box that is worked on, in the volume's RAS: pairs of from and to, in mm, along R, A and S; or a markups ROI
        node, whose bounding box along these axes it is (default: the whole scan). The blur is measured on the whole all the same.
    :param decisions: pairs of a place in the volume's RAS, in mm, and a verdict ("filled", "open" or "undecided") to use for the
        opening nearest to it (default: none).
    :param table: a table node to list the openings in (default: none).
    :param points: a markups point list node to put a point in each opening, named by its verdict (default: none).
    :param thickness: a scalar volume node for the walls' thickness, in mm (default: none).
    :param editor: a vtkSlicerSegmentEditorLogic whose masking, overwriting and undo apply (default: none do).
    :param progress: called with the fraction done, 0 to 1.
    :return: `ThinBoneResult`.
    :raises Error: with what to do.
    """
    operation = vtkSkullEffectsThinBone()
    operation.SetBoneSegmentID(_segment_id(segmentation, bone, "bone"))
    if fwhm_mm is not None:
        in_plane, through_plane = fwhm_mm
        operation.SetFwhmInPlaneMm(_number("fwhm_mm", in_plane, 0.01, 20))
        operation.SetFwhmThroughPlaneMm(_number("fwhm_mm", through_plane, 0.01, 20))
    operation.SetThinnestMm(_number("thinnest_mm", thinnest_mm, 0))
    operation.SetLargestOpeningMm(_number("largest_opening_mm", largest_opening_mm, 0))
    if hasattr(roi_mm, "IsA"):
        bounds = [0.0] * 6
        vtkSlicerSkullEffectsLogic.GetRegionBounds(roi_mm, volume, bounds)
        operation.SetRoiMm(bounds)
    elif roi_mm is not None:
        operation.SetRoiMm(*(_number("roi_mm", end) for pair in roi_mm for end in sorted(pair)))
    for center, verdict in decisions:
        operation.AddDecision(*map(float, center), _choice("verdict", verdict, _VERDICTS))
    segment_id = _apply(operation, volume, segmentation, segment, editor, progress)
    if table is not None:
        operation.WriteOpenings(table)
    if points is not None:
        operation.WriteOpenings(points, volume)
    if thickness is not None:
        operation.WriteThickness(thickness, volume)
    return ThinBoneResult(
        segment_id,
        operation.GetVolumeMl(),
        (operation.GetFoundFwhmInPlaneMm(), operation.GetFoundFwhmThroughPlaneMm()),
        operation.GetThinnestSeenMm(),
        operation.GetSmallestHoleMm(),
        tuple(_opening(operation, i) for i in range(operation.GetNumberOfOpenings())),
        _warnings(operation),
    )


@_says_what_is_misspelt
def surface(segmentation, segment="Skin", model=None, *, smoothing=15, progress=None):
    """The closed, smooth surface of a segment, ready to print: watertight, and within half a voxel of the segment.

    :param segmentation: the segmentation node.
    :param segment: name or ID of the segment (default "Skin").
    :param model: the model node to write to (default: a new one, named as the segment).
    :param smoothing: passes of smoothing; 0 keeps the voxels' faces (default 15).
    :param progress: called with the fraction done, 0 to 1.
    :return: `SurfaceResult`.
    :raises Error: with what to do.
    """
    smoothing = int(_number("smoothing", smoothing, 0))
    segment_id = _segment_id(segmentation, segment, "segment")
    name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
    scene = segmentation.GetScene()
    created = model is None
    if created:
        model = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    try:
        _run(lambda: _logic.MakeSurface(segmentation, segment_id, model, smoothing), progress)
    except BaseException:
        if created:
            scene.RemoveNode(model)
        raise
    return SurfaceResult(
        model,
        _logic.GetSurfaceVolumeMl(),
        _logic.GetSurfaceAreaCm2(),
        _logic.GetSurfaceClosedManifold(),
        _logic.GetSurfaceComponents(),
    )


def batch(operation, volumes, *, progress=None, **parameters):
    """Runs `skin` or `threshold` on many volumes, each into a new segmentation.

    What fails on one volume is told in its item, and the others go on.

    :param operation: `SkullEffects.skin` or `SkullEffects.threshold`.
    :param volumes: the scalar volume nodes; a generator may load them one by one.
    :param progress: called with the volume's number, counted from 0, and the fraction done of it.
    :param parameters: those of the operation.
    :return: a list of `BatchItem`.
    """
    _check_names(operation, parameters)
    items = []
    for number, volume in enumerate(volumes):
        segmentation = volume.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volume.GetName()} segmentation")
        segmentation.CreateDefaultDisplayNodes()
        result, error = None, None
        watch = None if progress is None else lambda fraction, number=number: progress(number, fraction)
        try:
            result = operation(volume, segmentation, progress=watch, **parameters)
        except Cancelled:
            raise
        except Error as reason:
            error = reason
            volume.GetScene().RemoveNode(segmentation)
            segmentation = None
        items.append(BatchItem(volume, segmentation, result, error))
    return items


def methods():
    """Names of the methods that `threshold` can find a bound with."""
    return tuple(
        vtkSkullEffectsThreshold.GetMethodName(i) for i in range(vtkSkullEffectsThreshold.GetNumberOfMethods())
    )


def logic():
    """The vtkSlicerSkullEffectsLogic that runs all of this module's operations."""
    return _logic


_logic = vtkSlicerSkullEffectsLogic()

_VERDICTS = ("filled", "open", "undecided")


def _opening(operation, index):
    center, residual, media_hu = [0.0] * 3, [0.0] * 3, [0.0] * 2
    operation.GetOpeningCenter(index, center)
    operation.GetOpeningResidual(index, residual)
    operation.GetOpeningMediaHu(index, media_hu)
    verdict, decided = _VERDICTS[operation.GetOpeningVerdict(index)], operation.GetOpeningDecided(index)
    return Opening(verdict, decided, operation.GetOpeningDiameterMm(index), tuple(center), *residual, tuple(media_hu))


def _apply(operation, volume, segmentation, segment, editor, progress):
    """Runs the operation into the segment, which is made if need be; gives its ID."""
    existing = _segment_id(segmentation, segment)
    if editor is None:
        if existing is None:
            return _run(lambda: _logic.ApplyToNewSegment(operation, volume, segmentation, segment), progress)
        _run(lambda: _logic.Apply(operation, volume, segmentation, existing), progress)
        return existing
    segment_id = existing or vtkSlicerSkullEffectsLogic.AddSegment(segmentation, segment)
    try:
        editor.SetSegmentationNode(segmentation)
        editor.SetSourceVolumeNode(volume)
        editor.SetCurrentSegmentID(segment_id)
        _run(lambda: _logic.Apply(operation, editor), progress)
    except BaseException:
        if existing is None:
            segmentation.GetSegmentation().RemoveSegment(segment_id)
        raise
    return segment_id


def _run(call, progress):
    """Calls the logic, tells progress, and raises what went wrong."""
    raised = []

    def observe(caller, event):
        # VTK would end the program on a keyboard interrupt, and go on after anything else.
        try:
            if progress is not None and not raised:
                progress(caller.GetProgress())
        except BaseException as reason:  # noqa: B902
            raised.append(reason)
            caller.Cancel()

    tag = _logic.AddObserver("ProgressEvent", observe)
    try:
        done = call()
    finally:
        _logic.RemoveObserver(tag)
    if raised:
        raise raised[0]
    if not done:
        raise (Cancelled if _logic.GetCancelled() else Error)(_logic.GetErrorMessage())
    return done


def _segment_id(segmentation, segment, needed_as=None):
    """The ID of the segment of this name or ID; None where there is none, unless it is needed."""
    if segmentation is None or segmentation.GetSegmentation() is None:
        raise Error("there is no segmentation: choose one, or create one")
    segments = segmentation.GetSegmentation()
    if not isinstance(segment, str) or not segment:
        raise TypeError(f"a segment is given by its name or ID, not by {segment!r}")
    if segments.GetSegmentIndex(segment) >= 0:
        return segment
    named = [i for i in segments.GetSegmentIDs() if segments.GetSegment(i).GetName() == segment]
    if len(named) > 1:
        raise Error(f'{len(named)} segments are named "{segment}": give the ID of one, among {", ".join(named)}')
    if not named and needed_as:
        names = ", ".join(segments.GetSegment(i).GetName() for i in segments.GetSegmentIDs()) or "none"
        raise Error(f'the {needed_as} "{segment}" is no segment of {segmentation.GetName()}, which has {names}')
    return named[0] if named else None


def _number(name, value, least=-math.inf, greatest=math.inf):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is a number{_unit(name)}, not {value!r}")
    if not least <= value <= greatest:
        bounds = f"from {least:g} to {greatest:g}" if math.isfinite(greatest) else f"{least:g} or more"
        raise ValueError(f"{name} is {value}, but must be {bounds if math.isfinite(least) else 'a number'}{_unit(name)}")
    return float(value)


def _unit(name):
    return {"mm": " in millimetres", "ml": " in millilitres"}.get(name.rpartition("_")[2], "")


def _flag(name, value):
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {value!r}")
    return value


def _choice(name, value, choices):
    """The index of the choice, whose case and separators do not matter."""
    plain = lambda text: "".join(c for c in str(text).lower() if c.isalnum())  # noqa: E731
    for index, choice in enumerate(choices):
        if plain(value) == plain(choice):
            return index
    raise ValueError(f"{name} is {value!r}, but must be one of {', '.join(choices)}")


def _warnings(operation):
    return tuple(operation.GetWarning(i) for i in range(operation.GetNumberOfWarnings()))
