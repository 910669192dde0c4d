#include "vtkSkullEffectsThinBone.h"
#include "SkullEffectsRun.h"
#include "SkullEffectsText.h"

// Segmentations includes
#include <vtkOrientedImageData.h>
#include <vtkSegment.h>

// MRML includes
#include <vtkMRMLMarkupsFiducialNode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLTableNode.h>

// VTK includes
#include <vtkDoubleArray.h>
#include <vtkFloatArray.h>
#include <vtkImageData.h>
#include <vtkIntArray.h>
#include <vtkMath.h>
#include <vtkMatrix4x4.h>
#include <vtkNew.h>
#include <vtkObjectFactory.h>
#include <vtkPointData.h>
#include <vtkStringArray.h>
#include <vtkTable.h>
#include <vtkVector.h>

// STD includes
#include <algorithm>
#include <iomanip>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

namespace
{
const char* const DECISIONS_TAG = "SkullEffects.ThinBone.Decisions";

const char* const VERDICTS[] = { "filled", "open", "undecided" };

//-----------------------------------------------------------------------------
/// The item of this index, or nothing.
template <typename T>
const T* At(const std::vector<T>& list, int index)
{
  return index >= 0 && index < static_cast<int>(list.size()) ? &list[index] : nullptr;
}

//-----------------------------------------------------------------------------
/// A place as the tag has it.
std::string PlaceText(const double center[3])
{
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << std::fixed << std::setprecision(3) << center[0] << ',' << center[1] << ',' << center[2];
  return text.str();
}

//-----------------------------------------------------------------------------
std::vector<std::string> DecisionTexts(vtkSegment* bone)
{
  std::vector<std::string> texts;
  std::istringstream list(vtkSkullEffectsThinBone::GetDecisionsText(bone));
  for (std::string text; std::getline(list, text, ';');)
  {
    texts.push_back(text);
  }
  return texts;
}

//-----------------------------------------------------------------------------
void SetDecisionTexts(vtkSegment* bone, const std::vector<std::string>& texts)
{
  if (texts.empty())
  {
    bone->RemoveTag(DECISIONS_TAG);
    return;
  }
  std::string tag;
  for (const std::string& text : texts)
  {
    tag += (tag.empty() ? "" : ";") + text;
  }
  bone->SetTag(DECISIONS_TAG, tag);
}

//-----------------------------------------------------------------------------
bool ParseDecision(const std::string& text, double center[3], int& verdict)
{
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  char comma[3] = {};
  in >> center[0] >> comma[0] >> center[1] >> comma[1] >> center[2] >> comma[2] >> verdict;
  return in && std::all_of(comma, comma + 3, [](char c) { return c == ','; }) && verdict >= vtkSkullEffectsThinBone::Filled
         && verdict <= vtkSkullEffectsThinBone::Undecided;
}
}

//-----------------------------------------------------------------------------
vtkStandardNewMacro(vtkSkullEffectsThinBone);

//-----------------------------------------------------------------------------
vtkSkullEffectsThinBone::vtkSkullEffectsThinBone()
{
  const auto params = skull::ffi::default_thin_bone_params();
  this->FwhmInPlaneMm = params.measure_blur ? 0. : params.fwhm_mm[0];
  this->FwhmThroughPlaneMm = params.measure_blur ? 0. : params.fwhm_mm[1];
  this->ThinnestMm = params.thinnest_mm;
  this->LargestOpeningMm = params.largest_opening_mm;
  vtkMath::UninitializeBounds(this->RoiMm);
}

//-----------------------------------------------------------------------------
vtkSkullEffectsThinBone::~vtkSkullEffectsThinBone() = default;

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "BoneSegmentID: " << this->BoneSegmentID << "\n";
  os << indent << "FwhmInPlaneMm: " << this->FwhmInPlaneMm << "\n";
  os << indent << "FwhmThroughPlaneMm: " << this->FwhmThroughPlaneMm << "\n";
  os << indent << "ThinnestMm: " << this->ThinnestMm << "\n";
  os << indent << "LargestOpeningMm: " << this->LargestOpeningMm << "\n";
  os << indent << "RoiMm: " << this->RoiMm[0] << " " << this->RoiMm[1] << " " << this->RoiMm[2] << " " << this->RoiMm[3] << " " << this->RoiMm[4] << " "
     << this->RoiMm[5] << "\n";
  os << indent << "NumberOfOpenings: " << this->GetNumberOfOpenings() << "\n";
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::AddDecision(double r, double a, double s, int verdict)
{
  this->Decisions.push_back({ { r, a, s }, verdict });
  this->Modified();
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::RemoveAllDecisions()
{
  this->Decisions.clear();
  this->Modified();
}

//-----------------------------------------------------------------------------
int vtkSkullEffectsThinBone::GetNumberOfDecisions() const
{
  return static_cast<int>(this->Decisions.size());
}

//-----------------------------------------------------------------------------
std::string vtkSkullEffectsThinBone::GetDecisionsText(vtkSegment* bone)
{
  std::string text;
  if (bone)
  {
    bone->GetTag(DECISIONS_TAG, text);
  }
  return text;
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::ReadDecisions(vtkSegment* bone)
{
  this->RemoveAllDecisions();
  for (const std::string& text : DecisionTexts(bone))
  {
    double center[3];
    int verdict;
    if (ParseDecision(text, center, verdict))
    {
      this->AddDecision(center[0], center[1], center[2], verdict);
    }
  }
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::WriteDecision(int index, vtkSegment* bone)
{
  const Opening* opening = At(this->Openings, index);
  if (!opening || !bone)
  {
    return;
  }
  const std::string place = PlaceText(opening->Center) + ",";
  auto texts = DecisionTexts(bone);
  texts.erase(std::remove_if(texts.begin(), texts.end(), [&](const std::string& text) { return text.compare(0, place.size(), place) == 0; }), texts.end());
  texts.push_back(place + std::to_string(opening->Verdict));
  SetDecisionTexts(bone, texts);
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::RemoveFilledDecisions(vtkSegment* bone)
{
  auto texts = DecisionTexts(bone);
  const auto fills = [](const std::string& text) {
    double center[3];
    int verdict;
    return ParseDecision(text, center, verdict) && verdict == Filled;
  };
  const auto end = std::remove_if(texts.begin(), texts.end(), fills);
  if (end != texts.end())
  {
    texts.erase(end, texts.end());
    SetDecisionTexts(bone, texts);
  }
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::UpdateVerdicts(vtkSegment* bone)
{
  const auto texts = DecisionTexts(bone);
  for (Opening& opening : this->Openings)
  {
    opening.Verdict = opening.RunVerdict;
    opening.Decided = opening.RunDecided;
    const std::string place = PlaceText(opening.Center) + ",";
    for (const std::string& text : texts)
    {
      double center[3];
      int verdict;
      if (text.compare(0, place.size(), place) == 0 && ParseDecision(text, center, verdict))
      {
        opening.Verdict = verdict;
        opening.Decided = true;
      }
    }
  }
  this->Modified();
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::Run(const SkullEffectsRun& run)
{
  skull::ffi::ThinBoneParams params = skull::ffi::default_thin_bone_params();
  params.measure_blur = this->FwhmInPlaneMm <= 0. && this->FwhmThroughPlaneMm <= 0.;
  params.fwhm_mm = { this->FwhmInPlaneMm, this->FwhmThroughPlaneMm };
  params.thinnest_mm = this->ThinnestMm;
  params.largest_opening_mm = this->LargestOpeningMm;
  params.whole = !vtkMath::AreBoundsInitialized(this->RoiMm);
  std::copy_n(this->RoiMm, 6, params.roi_mm.begin());
  for (const Decision& decision : this->Decisions)
  {
    params.decisions.push_back(
      { { decision.Center[0], decision.Center[1], decision.Center[2] }, static_cast<skull::ffi::Verdict>(decision.Verdict) });
  }

  const auto thickness = vtkSmartPointer<vtkFloatArray>::New();
  thickness->SetNumberOfValues(static_cast<vtkIdType>(run.Output.size()));
  const auto report = run.Engine.thin_bone(run.Image, run.Mask, params, run.Output, { thickness->GetPointer(0), run.Output.size() }, run.Job);
  this->Thickness = thickness;
  this->VolumeMl = report.added_ml;
  this->Warnings = SkullEffectsText(report.warnings);
  this->FoundFwhmInPlaneMm = report.fwhm_mm[0];
  this->FoundFwhmThroughPlaneMm = report.fwhm_mm[1];
  this->ThinnestSeenMm = report.thinnest_seen_mm[0];
  this->SmallestHoleMm = report.smallest_hole_mm;
  this->Sheets = static_cast<int>(report.sheets);
  this->Openings.clear();
  for (const auto& found : report.openings)
  {
    Opening opening;
    std::copy(found.center_ras_mm.begin(), found.center_ras_mm.end(), opening.Center);
    std::copy(found.axis_ras.begin(), found.axis_ras.end(), opening.Axis);
    std::copy(found.media_hu.begin(), found.media_hu.end(), opening.MediaHu);
    opening.DiameterMm = found.diameter_mm;
    opening.AreaMm2 = found.area_mm2;
    opening.Verdict = static_cast<int>(found.verdict);
    opening.Decided = found.decided;
    opening.RunVerdict = opening.Verdict;
    opening.RunDecided = opening.Decided;
    opening.Residual = found.residual;
    opening.ResidualError = found.residual_se;
    opening.ResidualIfEmpty = found.residual_if_empty;
    opening.RimMm = found.rim_mm;
    for (size_t i = 0; i + 2 < found.voxels.size(); i += 3)
    {
      opening.Voxels.push_back({ static_cast<int>(found.voxels[i]), static_cast<int>(found.voxels[i + 1]), static_cast<int>(found.voxels[i + 2]) });
    }
    this->Openings.push_back(opening);
  }
}

//-----------------------------------------------------------------------------
int vtkSkullEffectsThinBone::GetNumberOfOpenings() const
{
  return static_cast<int>(this->Openings.size());
}

//-----------------------------------------------------------------------------
int vtkSkullEffectsThinBone::GetOpeningVerdict(int index) const
{
  const Opening* opening = At(this->Openings, index);
  return opening ? opening->Verdict : Undecided;
}

//-----------------------------------------------------------------------------
bool vtkSkullEffectsThinBone::GetOpeningDecided(int index) const
{
  const Opening* opening = At(this->Openings, index);
  return opening && opening->Decided;
}

//-----------------------------------------------------------------------------
double vtkSkullEffectsThinBone::GetOpeningDiameterMm(int index) const
{
  const Opening* opening = At(this->Openings, index);
  return opening ? opening->DiameterMm : 0.;
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::GetOpeningCenter(int index, double center[3]) const
{
  if (const Opening* opening = At(this->Openings, index))
  {
    std::copy_n(opening->Center, 3, center);
  }
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::GetOpeningResidual(int index, double residual[3]) const
{
  if (const Opening* opening = At(this->Openings, index))
  {
    residual[0] = opening->Residual;
    residual[1] = opening->ResidualError;
    residual[2] = opening->ResidualIfEmpty;
  }
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::GetOpeningMediaHu(int index, double media[2]) const
{
  if (const Opening* opening = At(this->Openings, index))
  {
    std::copy_n(opening->MediaHu, 2, media);
  }
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::SetOpeningVerdict(int index, int verdict)
{
  if (At(this->Openings, index) && verdict >= Filled && verdict <= Undecided)
  {
    this->Openings[index].Verdict = verdict;
    this->Openings[index].Decided = true;
    this->Modified();
  }
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::WriteOpeningVoxels(int index, vtkOrientedImageData* mask, vtkMRMLScalarVolumeNode* volume)
{
  const Opening* opening = At(this->Openings, index);
  if (!opening || opening->Voxels.empty())
  {
    mask->Initialize();
    return;
  }
  // One voxel more on each side, for whoever interpolates.
  const int* first = volume->GetImageData()->GetExtent();
  int extent[6];
  for (int axis = 0; axis < 3; ++axis)
  {
    const auto [least, greatest] =
      std::minmax_element(opening->Voxels.begin(), opening->Voxels.end(), [=](const auto& a, const auto& b) { return a[axis] < b[axis]; });
    extent[2 * axis] = first[2 * axis] + (*least)[axis] - 1;
    extent[2 * axis + 1] = first[2 * axis] + (*greatest)[axis] + 1;
  }
  vtkNew<vtkMatrix4x4> toRAS;
  volume->GetIJKToRASMatrix(toRAS);
  mask->SetExtent(extent);
  mask->AllocateScalars(VTK_UNSIGNED_CHAR, 1);
  mask->SetGeometryFromImageToWorldMatrix(toRAS);
  mask->GetPointData()->GetScalars()->Fill(0.);
  const auto write = [&](const Opening& of, unsigned char value) {
    for (const auto& voxel : of.Voxels)
    {
      const int at[3] = { first[0] + voxel[0], first[2] + voxel[1], first[4] + voxel[2] };
      if (extent[0] <= at[0] && at[0] <= extent[1] && extent[2] <= at[1] && at[1] <= extent[3] && extent[4] <= at[2] && at[2] <= extent[5])
      {
        *static_cast<unsigned char*>(mask->GetScalarPointer(at[0], at[1], at[2])) = value;
      }
    }
  };
  write(*opening, 1);
  for (const Opening& other : this->Openings)
  {
    if (&other != opening && other.Verdict == Filled)
    {
      write(other, 0);
    }
  }
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::WriteOpenings(vtkMRMLTableNode* node)
{
  vtkNew<vtkTable> table;
  const auto addNumbers = [&](const char* name, double (*value)(const Opening&)) {
    vtkNew<vtkDoubleArray> column;
    column->SetName(name);
    for (const Opening& opening : this->Openings)
    {
      column->InsertNextValue(value(opening));
    }
    table->AddColumn(column);
  };
  vtkNew<vtkIntArray> number;
  number->SetName("Opening");
  vtkNew<vtkStringArray> verdict;
  verdict->SetName("Verdict");
  vtkNew<vtkStringArray> decidedBy;
  decidedBy->SetName("Decided by");
  for (const Opening& opening : this->Openings)
  {
    number->InsertNextValue(static_cast<int>(number->GetNumberOfValues()) + 1);
    verdict->InsertNextValue(VERDICTS[opening.Verdict]);
    decidedBy->InsertNextValue(opening.Decided ? "user" : "scan");
  }
  table->AddColumn(number);
  table->AddColumn(verdict);
  table->AddColumn(decidedBy);
  addNumbers("Diameter (mm)", [](const Opening& o) { return o.DiameterMm; });
  addNumbers("Area (mm2)", [](const Opening& o) { return o.AreaMm2; });
  addNumbers("Wall in it (share)", [](const Opening& o) { return o.Residual; });
  addNumbers("Its error", [](const Opening& o) { return o.ResidualError; });
  addNumbers("If empty", [](const Opening& o) { return o.ResidualIfEmpty; });
  addNumbers("Wall around (mm)", [](const Opening& o) { return o.RimMm; });
  addNumbers("Before (HU)", [](const Opening& o) { return o.MediaHu[0]; });
  addNumbers("Behind (HU)", [](const Opening& o) { return o.MediaHu[1]; });
  addNumbers("R (mm)", [](const Opening& o) { return o.Center[0]; });
  addNumbers("A (mm)", [](const Opening& o) { return o.Center[1]; });
  addNumbers("S (mm)", [](const Opening& o) { return o.Center[2]; });
  node->SetAndObserveTable(table);
  node->SetUseColumnTitleAsColumnHeader(true);
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::WriteOpenings(vtkMRMLMarkupsFiducialNode* points, vtkMRMLScalarVolumeNode* volume)
{
  points->RemoveAllControlPoints();
  for (size_t i = 0; i < this->Openings.size(); ++i)
  {
    const Opening& opening = this->Openings[i];
    points->AddControlPoint(vtkVector3d(opening.Center), VERDICTS[opening.Verdict] + std::string(" ") + std::to_string(i + 1));
  }
  points->SetAndObserveTransformNodeID(volume->GetTransformNodeID());
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThinBone::WriteThickness(vtkMRMLScalarVolumeNode* thickness, vtkMRMLScalarVolumeNode* volume)
{
  if (!this->Thickness)
  {
    return; // nothing has run yet
  }
  vtkNew<vtkImageData> image;
  image->SetExtent(volume->GetImageData()->GetExtent());
  image->GetPointData()->SetScalars(this->Thickness);
  vtkNew<vtkMatrix4x4> toRAS;
  volume->GetIJKToRASMatrix(toRAS);
  thickness->SetAndObserveImageData(image);
  thickness->SetIJKToRASMatrix(toRAS);
  thickness->SetAndObserveTransformNodeID(volume->GetTransformNodeID());
  if (thickness->GetScene() && !thickness->GetDisplayNode())
  {
    thickness->CreateDefaultDisplayNodes();
  }
}
