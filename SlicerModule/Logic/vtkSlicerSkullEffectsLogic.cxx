#include "vtkSlicerSkullEffectsLogic.h"
#include "SkullEffectsRun.h"
#include "SkullEffectsVoxels.h"
#include "vtkSkullEffectsOperation.h"
#include "vtkSkullEffectsThinBone.h"

// Segmentations includes
#include <vtkMRMLSegmentEditorNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkOrientedImageData.h>
#include <vtkOrientedImageDataResample.h>
#include <vtkSegment.h>
#include <vtkSegmentation.h>
#include <vtkSegmentationConverter.h>
#include <vtkSlicerSegmentEditorLogic.h>
#include <vtkSlicerSegmentationsModuleLogic.h>

// MRML includes
#include <vtkMRMLMarkupsROINode.h>
#include <vtkMRMLModelNode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLScene.h>
#include <vtkMRMLTransformNode.h>

// VTK includes
#include <vtkBoundingBox.h>
#include <vtkCellArray.h>
#include <vtkCommand.h>
#include <vtkDataArray.h>
#include <vtkDoubleArray.h>
#include <vtkGeneralTransform.h>
#include <vtkImageCast.h>
#include <vtkMatrix4x4.h>
#include <vtkNew.h>
#include <vtkObjectFactory.h>
#include <vtkPointData.h>
#include <vtkPoints.h>
#include <vtkPolyData.h>
#include <vtkSmartPointer.h>

// STD includes
#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>

namespace
{
using skull::ffi::Engine;
using skull::ffi::Job;
using Failure = std::runtime_error;

/// How often progress is told.
constexpr std::chrono::milliseconds POLL{ 50 };

//-----------------------------------------------------------------------------
struct Structure
{
  const char* Name;
  /// Category and type as in Slicer's list of general anatomy.
  const char* Codes;
  double Color[3];
};

const Structure STRUCTURES[] = {
  { "Skin", "SCT^85756007^Tissue~SCT^39937001^Skin", { 177. / 255., 122. / 255., 101. / 255. } },
  { "Bone", "SCT^85756007^Tissue~SCT^272673000^Bone", { 241. / 255., 214. / 255., 145. / 255. } },
  // Bone, but to be told from the bone beside it.
  { "Thin bone", "SCT^85756007^Tissue~SCT^272673000^Bone", { 235. / 255., 104. / 255., 52. / 255. } },
  { "Skull", "SCT^123037004^Anatomical Structure~SCT^89546000^Skull", { 241. / 255., 213. / 255., 144. / 255. } },
};

//-----------------------------------------------------------------------------
std::string NameOf(vtkMRMLNode* node)
{
  return node->GetName() ? node->GetName() : "";
}

//-----------------------------------------------------------------------------
/// Throws unless there is a segmentation that holds labelmaps.
void CheckSegmentation(vtkMRMLSegmentationNode* segmentation)
{
  if (!segmentation || !segmentation->GetSegmentation())
  {
    throw Failure("there is no segmentation: choose one, or create one");
  }
  const std::string source = segmentation->GetSegmentation()->GetSourceRepresentationName();
  if (source != vtkSegmentationConverter::GetBinaryLabelmapRepresentationName())
  {
    throw Failure("the segmentation is stored as " + source
                  + ": make binary labelmap its source representation first (module Segmentations, section Representations)");
  }
}

//-----------------------------------------------------------------------------
/// Throws unless the segmentation has the segment.
void CheckSegment(vtkMRMLSegmentationNode* segmentation, const std::string& segmentID)
{
  if (segmentID.empty())
  {
    throw Failure("no segment is selected: select one, or add one");
  }
  if (segmentation->GetSegmentation()->GetSegmentIndex(segmentID) < 0)
  {
    throw Failure("the segmentation \"" + NameOf(segmentation) + "\" has no segment \"" + segmentID + "\": choose one of its segments");
  }
}

//-----------------------------------------------------------------------------
bool HasReferenceGeometry(vtkMRMLSegmentationNode* segmentation)
{
  return !vtkSlicerSegmentEditorLogic::GetReferenceImageGeometryStringFromSegmentation(segmentation->GetSegmentation()).empty();
}

//-----------------------------------------------------------------------------
/// The geometry, without voxels, that the segmentation's segments have in common.
vtkSmartPointer<vtkOrientedImageData> ReferenceGeometry(vtkMRMLSegmentationNode* segmentation)
{
  const std::string geometry = vtkSlicerSegmentEditorLogic::GetReferenceImageGeometryStringFromSegmentation(segmentation->GetSegmentation());
  auto reference = vtkSmartPointer<vtkOrientedImageData>::New();
  if (geometry.empty() || !vtkSegmentationConverter::DeserializeImageGeometry(geometry, reference, false))
  {
    throw Failure("the segmentation has no reference geometry: set its source volume (button next to Source volume geometry)");
  }
  const int* dimensions = reference->GetDimensions();
  if (std::any_of(dimensions, dimensions + 3, [](int n) { return n < 1; }))
  {
    throw Failure("the segmentation's reference geometry has no voxels: choose another source volume for it");
  }
  return reference;
}

//-----------------------------------------------------------------------------
bool IsSameGrid(vtkOrientedImageData* a, vtkOrientedImageData* b)
{
  return vtkOrientedImageDataResample::DoGeometriesMatch(a, b) && vtkOrientedImageDataResample::DoExtentsMatch(a, b);
}

//-----------------------------------------------------------------------------
/// A volume's voxels, where they are in a segmentation's space.
struct Placed
{
  vtkSmartPointer<vtkOrientedImageData> Image;
  /// The rest of the way, where it is not linear.
  vtkSmartPointer<vtkGeneralTransform> Warp;
};

/// Shares the image's voxels.
Placed Place(vtkImageData* image, vtkMRMLScalarVolumeNode* volume, vtkMRMLSegmentationNode* segmentation)
{
  Placed placed;
  placed.Image = vtkSmartPointer<vtkOrientedImageData>::New();
  placed.Image->vtkImageData::ShallowCopy(image);
  vtkNew<vtkMatrix4x4> toSegmentation;
  volume->GetIJKToRASMatrix(toSegmentation);
  vtkMRMLTransformNode* from = volume->GetParentTransformNode();
  vtkMRMLTransformNode* to = segmentation->GetParentTransformNode();
  if (from != to)
  {
    vtkNew<vtkGeneralTransform> between;
    vtkMRMLTransformNode::GetTransformBetweenNodes(from, to, between);
    if (vtkMRMLTransformNode::IsGeneralTransformLinear(between))
    {
      vtkNew<vtkMatrix4x4> matrix;
      vtkMRMLTransformNode::GetMatrixTransformBetweenNodes(from, to, matrix);
      vtkMatrix4x4::Multiply4x4(matrix, toSegmentation, toSegmentation);
    }
    else
    {
      placed.Warp = between;
    }
  }
  placed.Image->SetGeometryFromImageToWorldMatrix(toSegmentation);
  return placed;
}

//-----------------------------------------------------------------------------
/// An empty mask on the same grid.
vtkSmartPointer<vtkOrientedImageData> NewMask(vtkOrientedImageData* grid)
{
  auto mask = vtkSmartPointer<vtkOrientedImageData>::New();
  mask->SetExtent(grid->GetExtent());
  vtkNew<vtkMatrix4x4> toWorld;
  grid->GetImageToWorldMatrix(toWorld);
  mask->SetGeometryFromImageToWorldMatrix(toWorld);
  mask->AllocateScalars(VTK_UNSIGNED_CHAR, 1);
  return mask;
}

//-----------------------------------------------------------------------------
/// Brings a mask of 0 and 1 to another grid, with its edge where linear interpolation puts it.
vtkSmartPointer<vtkOrientedImageData> MaskOn(vtkOrientedImageData* reference, const Placed& mask)
{
  if (!mask.Warp && IsSameGrid(mask.Image, reference))
  {
    return mask.Image;
  }
  auto result = vtkSmartPointer<vtkOrientedImageData>::New();
  for (uint8_t& voxel : SkullEffectsVoxels::WritableMask(mask.Image))
  {
    voxel = voxel ? 255 : 0;
  }
  vtkOrientedImageDataResample::ResampleOrientedImageToReferenceOrientedImage(mask.Image, reference, result, true, false, mask.Warp);
  for (uint8_t& voxel : SkullEffectsVoxels::WritableMask(result))
  {
    voxel = voxel >= 128 ? 1 : 0;
  }
  return result;
}

//-----------------------------------------------------------------------------
/// The segment on the reference's grid, as unsigned char.
vtkSmartPointer<vtkOrientedImageData> SegmentOn(vtkOrientedImageData* reference, vtkMRMLSegmentationNode* segmentation, const std::string& segmentID)
{
  vtkNew<vtkOrientedImageData> segment;
  if (!segmentation->GetBinaryLabelmapRepresentation(segmentID, segment))
  {
    throw Failure("the segment \"" + segmentID + "\" cannot be made a labelmap: check it in the module Segmentations");
  }
  auto result = vtkSmartPointer<vtkOrientedImageData>::New();
  vtkOrientedImageDataResample::ResampleOrientedImageToReferenceOrientedImage(segment, reference, result);
  if (result->GetScalarType() != VTK_UNSIGNED_CHAR)
  {
    vtkNew<vtkImageCast> cast;
    cast->SetInputData(result);
    cast->SetOutputScalarTypeToUnsignedChar();
    cast->Update();
    result->vtkImageData::ShallowCopy(cast->GetOutput());
  }
  return result;
}

//-----------------------------------------------------------------------------
/// The union of segments, of which there is one at least.
vtkSmartPointer<vtkOrientedImageData> SegmentsOn(vtkOrientedImageData* reference,
                                                 vtkMRMLSegmentationNode* segmentation,
                                                 const std::vector<std::string>& segmentIDs)
{
  const auto first = SegmentOn(reference, segmentation, segmentIDs.front());
  if (segmentIDs.size() == 1)
  {
    return first;
  }
  // The first one's voxels may be the segment's own.
  auto all = NewMask(reference);
  all->GetPointData()->GetScalars()->DeepCopy(first->GetPointData()->GetScalars());
  const auto voxels = SkullEffectsVoxels::WritableMask(all);
  for (size_t i = 1; i < segmentIDs.size(); ++i)
  {
    const auto segment = SegmentOn(reference, segmentation, segmentIDs[i]);
    const auto set = SkullEffectsVoxels::Mask(segment);
    std::transform(voxels.begin(), voxels.end(), set.begin(), voxels.begin(), [](uint8_t a, uint8_t b) { return static_cast<uint8_t>(a | b); });
  }
  return all;
}

//-----------------------------------------------------------------------------
/// What a computation looks at, kept alive meanwhile; tells whether somebody changed it.
class Witness
{
public:
  Witness(vtkMRMLScalarVolumeNode* volume, vtkMRMLSegmentationNode* segmentation)
    : Volume(volume)
    , Segmentation(segmentation)
    , Image(volume ? volume->GetImageData() : nullptr)
    , Scalars(Image ? Image->GetPointData()->GetScalars() : nullptr)
    , Scene(segmentation->GetScene())
    , State(this->Now())
  {
  }

  void Check() const
  {
    if (this->Segmentation->GetScene() != this->Scene || (this->Volume && this->Volume->GetScene() != this->VolumeScene))
    {
      throw Failure("the scene was closed or a node removed meanwhile: nothing was written");
    }
    if (this->Now() != this->State)
    {
      throw Failure("the volume or the segmentation was changed meanwhile: nothing was written, apply again");
    }
  }

private:
  /// The voxels' state and place.
  std::vector<double> Now() const
  {
    std::vector<double> state{ static_cast<double>(this->Segmentation->GetSegmentation() ? this->Segmentation->GetSegmentation()->GetMTime() : 0) };
    if (this->Volume)
    {
      state.push_back(this->Volume->GetImageData() == this->Image && this->Image->GetPointData()->GetScalars() == this->Scalars);
      state.push_back(static_cast<double>(this->Image->GetMTime()));
      state.push_back(static_cast<double>(this->Scalars->GetMTime()));
      vtkNew<vtkMatrix4x4> toRAS;
      this->Volume->GetIJKToRASMatrix(toRAS);
      state.insert(state.end(), toRAS->GetData(), toRAS->GetData() + 16);
    }
    return state;
  }

  vtkSmartPointer<vtkMRMLScalarVolumeNode> Volume;
  vtkSmartPointer<vtkMRMLSegmentationNode> Segmentation;
  vtkSmartPointer<vtkImageData> Image;
  vtkSmartPointer<vtkDataArray> Scalars;
  vtkMRMLScene* Scene;
  vtkMRMLScene* VolumeScene{ Volume ? Volume->GetScene() : nullptr };
  std::vector<double> State;
};

//-----------------------------------------------------------------------------
/// Sets the segment to the mask as it is.
void SetSegment(vtkMRMLSegmentationNode* segmentation, const std::string& segmentID, vtkOrientedImageData* mask, int mode)
{
  if (!vtkSlicerSegmentationsModuleLogic::SetBinaryLabelmapToSegment(mask, segmentation, segmentID, mode))
  {
    throw Failure("the segment cannot be written: see the application's log");
  }
}

//-----------------------------------------------------------------------------
void MarkAsStarted(vtkSegment* segment)
{
  if (vtkSlicerSegmentationsModuleLogic::GetSegmentStatus(segment) == vtkSlicerSegmentationsModuleLogic::NotStarted)
  {
    vtkSlicerSegmentationsModuleLogic::SetSegmentStatus(segment, vtkSlicerSegmentationsModuleLogic::InProgress);
  }
}
}

//-----------------------------------------------------------------------------
class vtkSlicerSkullEffectsLogic::vtkInternal
{
public:
  explicit vtkInternal(vtkSlicerSkullEffectsLogic* logic)
    : Logic(logic)
  {
  }

  /// Does all of one public method: makes a message of whatever is thrown.
  bool Succeeds(const std::function<void()>& work)
  {
    if (this->Running)
    {
      this->Logic->ErrorMessage = "another operation is still running: wait for it, or cancel it";
      return false;
    }
    this->Logic->ErrorMessage.clear();
    this->Logic->Cancelled = false;
    try
    {
      work();
      return true;
    }
    catch (const std::exception& error)
    {
      this->Logic->ErrorMessage = error.what();
      return false;
    }
  }

  /// Runs the kernel on another thread, and tells progress on this one.
  void Compute(const std::function<void(const Engine&, const Job&)>& kernel)
  {
    if (!this->Workers)
    {
      this->Workers.emplace(skull::ffi::new_engine(static_cast<size_t>(this->Threads)));
    }
    const auto job = skull::ffi::new_job();
    const Busy busy(this, &*job);
    auto done = std::async(std::launch::async, [&] { kernel(**this->Workers, *job); });
    // Told at the start and at the end too, so that every run can be watched and cancelled.
    auto wait = std::chrono::milliseconds::zero();
    bool running = true;
    while (running)
    {
      running = done.wait_for(wait) != std::future_status::ready;
      wait = POLL;
      double fraction = job->fraction();
      this->Logic->InvokeEvent(vtkCommand::ProgressEvent, &fraction);
    }
    this->Logic->Cancelled = job->is_cancelled();
    done.get();
    if (this->Logic->Cancelled)
    {
      throw Failure("cancelled"); // too late for the kernel, not for us
    }
  }

  /// What a kernel takes.
  struct Inputs
  {
    vtkSmartPointer<vtkOrientedImageData> Image;
    /// On the image's grid; null where there is no mask.
    vtkSmartPointer<vtkOrientedImageData> Mask;
    bool HasGeometry;
    /// The geometry that the segmentation has, or is going to have.
    vtkSmartPointer<vtkOrientedImageData> Reference;
  };

  /// Checks the nodes and brings them to one grid: the volume's own where the whole volume decides, else the segmentation's.
  static Inputs Prepare(vtkMRMLScalarVolumeNode* volume,
                        vtkMRMLSegmentationNode* segmentation,
                        const std::vector<std::string>& maskSegmentIDs,
                        bool wholeVolume);

  vtkSmartPointer<vtkOrientedImageData> Mask(vtkSkullEffectsOperation* operation, vtkMRMLScalarVolumeNode* volume, vtkMRMLSegmentationNode* segmentation);

  vtkSlicerSkullEffectsLogic* const Logic;
  int Threads{ 0 };
  std::optional<rust::Box<Engine>> Workers;
  const Job* Running{ nullptr };

private:
  struct Busy
  {
    Busy(vtkInternal* internal, const Job* job)
      : Internal(internal)
    {
      internal->Running = job;
    }
    ~Busy() { this->Internal->Running = nullptr; }
    vtkInternal* const Internal;
  };
};

//-----------------------------------------------------------------------------
vtkSlicerSkullEffectsLogic::vtkInternal::Inputs vtkSlicerSkullEffectsLogic::vtkInternal::Prepare(vtkMRMLScalarVolumeNode* volume,
                                                                                                 vtkMRMLSegmentationNode* segmentation,
                                                                                                 const std::vector<std::string>& maskSegmentIDs,
                                                                                                 bool wholeVolume)
{
  if (!volume)
  {
    throw Failure("no volume is selected: choose the source volume");
  }
  SkullEffectsVoxels::Check(volume->GetImageData());
  CheckSegmentation(segmentation);
  for (const std::string& segmentID : maskSegmentIDs)
  {
    CheckSegment(segmentation, segmentID);
  }
  const Placed placed = Place(volume->GetImageData(), volume, segmentation);
  Inputs inputs{ placed.Image, nullptr, HasReferenceGeometry(segmentation), placed.Image };
  if (inputs.HasGeometry)
  {
    inputs.Reference = ReferenceGeometry(segmentation);
  }
  if (wholeVolume)
  {
    inputs.Image = vtkSmartPointer<vtkOrientedImageData>::New();
    inputs.Image->vtkImageData::ShallowCopy(volume->GetImageData());
    vtkNew<vtkMatrix4x4> toRAS;
    volume->GetIJKToRASMatrix(toRAS);
    inputs.Image->SetGeometryFromImageToWorldMatrix(toRAS);
  }
  else if (placed.Warp || !IsSameGrid(inputs.Image, inputs.Reference))
  {
    inputs.Image = vtkSmartPointer<vtkOrientedImageData>::New();
    vtkOrientedImageDataResample::ResampleOrientedImageToReferenceOrientedImage(
      placed.Image, inputs.Reference, inputs.Image, true, false, placed.Warp, volume->GetImageBackgroundScalarComponentAsDouble(0));
  }
  if (!maskSegmentIDs.empty())
  {
    if (wholeVolume && placed.Warp)
    {
      throw Failure("the volume and the segmentation are below different non-linear transforms: harden them, or put both below the same");
    }
    inputs.Mask = SegmentsOn(wholeVolume ? placed.Image : inputs.Image, segmentation, maskSegmentIDs);
  }
  return inputs;
}

//-----------------------------------------------------------------------------
vtkSmartPointer<vtkOrientedImageData> vtkSlicerSkullEffectsLogic::vtkInternal::Mask(vtkSkullEffectsOperation* operation,
                                                                                   vtkMRMLScalarVolumeNode* volume,
                                                                                   vtkMRMLSegmentationNode* segmentation)
{
  if (!operation)
  {
    throw Failure("there is no operation");
  }
  const Inputs inputs = Prepare(volume, segmentation, operation->GetMaskSegmentIDs(), operation->GetNeedsWholeVolume());
  const auto result = NewMask(inputs.Image);

  const Witness witness(volume, segmentation);
  this->Compute([&](const Engine& engine, const Job& job) {
    const auto view = SkullEffectsVoxels::View(inputs.Image);
    const auto mask = inputs.Mask ? SkullEffectsVoxels::Mask(inputs.Mask) : rust::Slice<const uint8_t>();
    operation->Run({ engine, view, mask, SkullEffectsVoxels::WritableMask(result), job });
  });
  witness.Check();
  if (!inputs.HasGeometry)
  {
    segmentation->SetReferenceImageGeometryParameterFromVolumeNode(volume);
  }
  return MaskOn(inputs.Reference, operation->GetNeedsWholeVolume() ? Place(result, volume, segmentation) : Placed{ result, nullptr });
}

//-----------------------------------------------------------------------------
vtkStandardNewMacro(vtkSlicerSkullEffectsLogic);

//-----------------------------------------------------------------------------
vtkSlicerSkullEffectsLogic::vtkSlicerSkullEffectsLogic()
  : Internal(std::make_unique<vtkInternal>(this))
{
}

//-----------------------------------------------------------------------------
vtkSlicerSkullEffectsLogic::~vtkSlicerSkullEffectsLogic() = default;

//-----------------------------------------------------------------------------
void vtkSlicerSkullEffectsLogic::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "NumberOfThreads: " << this->Internal->Threads << "\n";
  os << indent << "Running: " << this->GetRunning() << "\n";
  os << indent << "ErrorMessage: " << this->ErrorMessage << "\n";
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::Apply(vtkSkullEffectsOperation* operation,
                                       vtkMRMLScalarVolumeNode* volume,
                                       vtkMRMLSegmentationNode* segmentation,
                                       const std::string& segmentID)
{
  return this->Internal->Succeeds([&] {
    CheckSegmentation(segmentation);
    CheckSegment(segmentation, segmentID);
    const auto mask = this->Internal->Mask(operation, volume, segmentation);
    SetSegment(segmentation, segmentID, mask, vtkSlicerSegmentationsModuleLogic::MODE_REPLACE);
    MarkAsStarted(segmentation->GetSegmentation()->GetSegment(segmentID));
  });
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::Apply(vtkSkullEffectsOperation* operation, vtkSlicerSegmentEditorLogic* editor)
{
  return this->Internal->Succeeds([&] {
    if (!editor || !editor->GetSegmentEditorNode())
    {
      throw Failure("there is no segment editor");
    }
    vtkMRMLSegmentationNode* segmentation = editor->GetSegmentationNode();
    const std::string segmentID = editor->GetCurrentSegmentID();
    CheckSegmentation(segmentation);
    CheckSegment(segmentation, segmentID);
    const auto mask = this->Internal->Mask(operation, editor->GetSourceVolumeNode(), segmentation);

    // What is worked in must not lose what the selected segment gains.
    std::map<std::string, vtkSmartPointer<vtkOrientedImageData>> masks;
    const bool overwrites = editor->GetSegmentEditorNode()->GetOverwriteMode() != vtkMRMLSegmentEditorNode::OverwriteNone;
    for (const std::string& maskSegmentID : operation->GetMaskSegmentIDs())
    {
      if (overwrites && maskSegmentID != segmentID)
      {
        masks[maskSegmentID] = SegmentOn(mask, segmentation, maskSegmentID);
      }
    }
    editor->SaveStateForUndo();
    const auto mode = vtkSlicerSkullEffectsLogic::ClearSegmentToSet(editor->GetSegmentEditorNode(), segmentID)
                        ? vtkSlicerSegmentEditorLogic::ModificationModeAdd
                        : vtkSlicerSegmentEditorLogic::ModificationModeSet;
    editor->ModifySegmentByLabelmap(segmentation, segmentID.c_str(), mask, mode, false, false);
    for (const auto& [maskSegmentID, kept] : masks)
    {
      SetSegment(segmentation, maskSegmentID, kept, vtkSlicerSegmentationsModuleLogic::MODE_MERGE_MASK);
    }
    MarkAsStarted(segmentation->GetSegmentation()->GetSegment(segmentID));
  });
}

//-----------------------------------------------------------------------------
std::string vtkSlicerSkullEffectsLogic::ApplyToNewSegment(vtkSkullEffectsOperation* operation,
                                                          vtkMRMLScalarVolumeNode* volume,
                                                          vtkMRMLSegmentationNode* segmentation,
                                                          const std::string& name)
{
  std::string segmentID;
  this->Internal->Succeeds([&] {
    const auto mask = this->Internal->Mask(operation, volume, segmentation);
    segmentID = vtkSlicerSkullEffectsLogic::AddSegment(segmentation, name.empty() ? operation->GetDefaultSegmentName() : name);
    SetSegment(segmentation, segmentID, mask, vtkSlicerSegmentationsModuleLogic::MODE_REPLACE);
    MarkAsStarted(segmentation->GetSegmentation()->GetSegment(segmentID));
  });
  return segmentID;
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::ComputeMask(vtkSkullEffectsOperation* operation,
                                             vtkMRMLScalarVolumeNode* volume,
                                             vtkMRMLSegmentationNode* segmentation,
                                             vtkOrientedImageData* mask)
{
  return this->Internal->Succeeds([&] {
    if (!mask)
    {
      throw Failure("there is no image to write the mask to");
    }
    mask->ShallowCopy(this->Internal->Mask(operation, volume, segmentation));
  });
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::ComputeOpeningMask(vtkSkullEffectsThinBone* operation,
                                                    int index,
                                                    vtkMRMLScalarVolumeNode* volume,
                                                    vtkMRMLSegmentationNode* segmentation,
                                                    vtkOrientedImageData* mask)
{
  return this->Internal->Succeeds([&] {
    CheckSegmentation(segmentation);
    if (!operation || index < 0 || index >= operation->GetNumberOfOpenings())
    {
      throw Failure("there is no such opening: apply first");
    }
    if (!volume || !volume->GetImageData() || !mask)
    {
      throw Failure("no volume is selected: choose the source volume");
    }
    vtkNew<vtkOrientedImageData> opening;
    operation->WriteOpeningVoxels(index, opening, volume);
    if (opening->IsEmpty())
    {
      mask->Initialize();
      return;
    }
    const Placed placed = Place(opening, volume, segmentation);
    const auto reference = ReferenceGeometry(segmentation);
    const bool matches = !placed.Warp && vtkOrientedImageDataResample::DoGeometriesMatch(placed.Image, reference);
    mask->ShallowCopy(matches ? placed.Image : MaskOn(reference, placed));
  });
}

//-----------------------------------------------------------------------------
void vtkSlicerSkullEffectsLogic::GetRegionBounds(vtkMRMLMarkupsROINode* region, vtkMRMLScalarVolumeNode* volume, double bounds[6])
{
  double size[3];
  region->GetSize(size);
  vtkNew<vtkGeneralTransform> toVolume;
  vtkMRMLTransformNode::GetTransformBetweenNodes(region->GetParentTransformNode(), volume->GetParentTransformNode(), toVolume);
  vtkBoundingBox box;
  for (int corner = 0; corner < 8; ++corner)
  {
    double point[4] = { 0., 0., 0., 1. };
    for (int axis = 0; axis < 3; ++axis)
    {
      point[axis] = (corner >> axis & 1 ? 0.5 : -0.5) * size[axis];
    }
    region->GetObjectToNodeMatrix()->MultiplyPoint(point, point);
    toVolume->TransformPoint(point, point);
    box.AddPoint(point);
  }
  box.GetBounds(bounds);
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::ComputeHistogram(vtkMRMLScalarVolumeNode* volume,
                                                  vtkMRMLSegmentationNode* segmentation,
                                                  const std::vector<std::string>& maskSegmentIDs,
                                                  bool invertMask,
                                                  vtkDoubleArray* counts,
                                                  double range[2])
{
  return this->Internal->Succeeds([&] {
    const auto inputs = vtkInternal::Prepare(volume, segmentation, maskSegmentIDs, false);
    const auto bins = static_cast<size_t>(counts->GetNumberOfValues());
    std::optional<skull::ffi::Histogram> found;
    this->Internal->Compute([&](const Engine& engine, const Job& job) {
      const auto mask = inputs.Mask ? SkullEffectsVoxels::Mask(inputs.Mask) : rust::Slice<const uint8_t>();
      found.emplace(engine.histogram(SkullEffectsVoxels::View(inputs.Image), mask, invertMask, bins, job));
    });
    std::copy(found->counts.begin(), found->counts.end(), counts->GetPointer(0));
    range[0] = found->lower;
    range[1] = found->lower + found->width * static_cast<double>(bins);
  });
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::MakeSurface(vtkMRMLSegmentationNode* segmentation, const std::string& segmentID, vtkMRMLModelNode* model, int smoothing)
{
  return this->Internal->Succeeds([&] {
    CheckSegmentation(segmentation);
    CheckSegment(segmentation, segmentID);
    if (!model)
    {
      throw Failure("there is no model to write the surface to: choose one, or create one");
    }
    const auto mask = SegmentOn(ReferenceGeometry(segmentation), segmentation, segmentID);
    auto params = skull::ffi::default_surface_params();
    if (smoothing >= 0)
    {
      params.smoothing = static_cast<uint32_t>(smoothing);
    }
    const Witness witness(nullptr, segmentation);
    std::optional<rust::Box<skull::ffi::Mesh>> mesh;
    std::optional<skull::ffi::SurfaceReport> report;
    this->Internal->Compute([&](const Engine& engine, const Job& job) {
      mesh.emplace(engine.surface(SkullEffectsVoxels::Mask(mask), SkullEffectsVoxels::Grid(mask), params, job));
      report.emplace((*mesh)->report());
    });
    witness.Check();

    vtkNew<vtkPoints> points;
    points->SetDataTypeToFloat();
    const auto coordinates = (*mesh)->points();
    points->SetNumberOfPoints(static_cast<vtkIdType>(coordinates.size() / 3));
    std::copy(coordinates.begin(), coordinates.end(), static_cast<float*>(points->GetVoidPointer(0)));
    vtkNew<vtkCellArray> triangles;
    const auto corners = (*mesh)->triangles();
    triangles->AllocateExact(static_cast<vtkIdType>(corners.size() / 3), static_cast<vtkIdType>(corners.size()));
    for (size_t i = 0; i < corners.size(); i += 3)
    {
      const vtkIdType triangle[3] = { corners[i], corners[i + 1], corners[i + 2] };
      triangles->InsertNextCell(3, triangle);
    }
    vtkNew<vtkPolyData> surface;
    surface->SetPoints(points);
    surface->SetPolys(triangles);
    model->SetAndObserveMesh(surface);
    model->SetAndObserveTransformNodeID(segmentation->GetTransformNodeID());
    if (model->GetScene() && !model->GetDisplayNode())
    {
      model->CreateDefaultDisplayNodes();
    }
    this->SurfaceVolumeMl = report->volume_ml;
    this->SurfaceAreaCm2 = report->area_cm2;
    this->SurfaceClosedManifold = report->closed_manifold;
    this->SurfaceComponents = static_cast<int>(report->components);
  });
}

//-----------------------------------------------------------------------------
std::string vtkSlicerSkullEffectsLogic::AddSegment(vtkMRMLSegmentationNode* segmentation, const std::string& name)
{
  vtkSegmentation* segments = segmentation ? segmentation->GetSegmentation() : nullptr;
  if (!segments)
  {
    return "";
  }
  const std::string newID = segments->GenerateUniqueSegmentID(name);
  for (const Structure& structure : STRUCTURES)
  {
    if (name == structure.Name)
    {
      double color[3] = { structure.Color[0], structure.Color[1], structure.Color[2] };
      const std::string segmentID = segments->AddEmptySegment(newID, name, color);
      segments->GetSegment(segmentID)->SetTerminology("Segmentation category and type - 3D Slicer General Anatomy list~"
                                                      + std::string(structure.Codes) + "~^^~Anatomic codes - DICOM master list~^^~^^");
      return segmentID;
    }
  }
  return segments->AddEmptySegment(newID, name);
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::ClearSegmentToSet(vtkMRMLSegmentEditorNode* editor, const std::string& segmentID)
{
  if (editor->GetMaskMode() != vtkMRMLSegmentationNode::EditAllowedEverywhere || editor->GetSourceVolumeIntensityMask())
  {
    return false;
  }
  vtkMRMLSegmentationNode* segmentation = editor->GetSegmentationNode();
  vtkSegment* segment = segmentation->GetSegmentation()->GetSegment(segmentID);
  const int status = vtkSlicerSegmentationsModuleLogic::GetSegmentStatus(segment);
  if (!vtkSlicerSegmentationsModuleLogic::ClearSegment(segmentation, segmentID))
  {
    return false;
  }
  vtkSlicerSegmentationsModuleLogic::SetSegmentStatus(segment, status);
  return true;
}

//-----------------------------------------------------------------------------
void vtkSlicerSkullEffectsLogic::GetSegmentColor(const std::string& name, double color[3])
{
  const auto* known = std::find_if(std::begin(STRUCTURES), std::end(STRUCTURES), [&](const Structure& structure) { return name == structure.Name; });
  std::copy_n(known != std::end(STRUCTURES) ? known->Color : STRUCTURES[1].Color, 3, color);
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::GetRunning() const
{
  return this->Internal->Running != nullptr;
}

//-----------------------------------------------------------------------------
double vtkSlicerSkullEffectsLogic::GetProgress() const
{
  return this->Internal->Running ? this->Internal->Running->fraction() : 0.;
}

//-----------------------------------------------------------------------------
void vtkSlicerSkullEffectsLogic::Cancel()
{
  if (this->Internal->Running)
  {
    this->Internal->Running->cancel();
  }
}

//-----------------------------------------------------------------------------
void vtkSlicerSkullEffectsLogic::SetNumberOfThreads(int threads)
{
  if (threads >= 0 && threads != this->Internal->Threads && !this->GetRunning())
  {
    this->Internal->Threads = threads;
    this->Internal->Workers.reset();
    this->Modified();
  }
}

//-----------------------------------------------------------------------------
int vtkSlicerSkullEffectsLogic::GetNumberOfThreads() const
{
  return this->Internal->Threads;
}

//-----------------------------------------------------------------------------
bool vtkSlicerSkullEffectsLogic::Panic()
{
  return this->Internal->Succeeds(
    [&] { this->Internal->Compute([](const Engine& engine, const Job&) { engine.panic_on_a_worker(); }); });
}
