#include "vtkSkullEffectsThreshold.h"
#include "SkullEffectsRun.h"
#include "SkullEffectsText.h"

// VTK includes
#include <vtkMath.h>
#include <vtkObjectFactory.h>

namespace
{
using skull::ffi::Bound;
using skull::ffi::BoundKind;

//-----------------------------------------------------------------------------
Bound MakeBound(double value, const std::string& method)
{
  if (!method.empty())
  {
    return { BoundKind::Auto, 0., rust::String(method.data(), method.size()) };
  }
  return { vtkMath::IsInf(value) ? BoundKind::Open : BoundKind::At, value, rust::String() };
}

//-----------------------------------------------------------------------------
double ValueOf(const Bound& bound, double open)
{
  return bound.kind == BoundKind::At ? bound.value : open;
}
}

//-----------------------------------------------------------------------------
vtkStandardNewMacro(vtkSkullEffectsThreshold);

//-----------------------------------------------------------------------------
vtkSkullEffectsThreshold::vtkSkullEffectsThreshold()
{
  this->SetToPreset(false);
}

//-----------------------------------------------------------------------------
vtkSkullEffectsThreshold::~vtkSkullEffectsThreshold() = default;

//-----------------------------------------------------------------------------
void vtkSkullEffectsThreshold::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Lower: " << this->Lower << "\n";
  os << indent << "Upper: " << this->Upper << "\n";
  os << indent << "LowerMethod: " << this->LowerMethod << "\n";
  os << indent << "UpperMethod: " << this->UpperMethod << "\n";
  os << indent << "Bins: " << this->Bins << "\n";
  os << indent << "DarkerHalf: " << this->DarkerHalf << "\n";
  for (const std::string& segmentID : this->MaskSegmentIDs)
  {
    os << indent << "MaskSegmentID: " << segmentID << "\n";
  }
  os << indent << "InvertMask: " << this->InvertMask << "\n";
  os << indent << "MinDepthMm: " << this->MinDepthMm << "\n";
  os << indent << "MaxDepthMm: " << this->MaxDepthMm << "\n";
  os << indent << "BiasSigmaMm: " << this->BiasSigmaMm << "\n";
  os << indent << "MinIslandMl: " << this->MinIslandMl << "\n";
  os << indent << "MaxHoleMl: " << this->MaxHoleMl << "\n";
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThreshold::SetToMRSkull()
{
  this->SetToPreset(true);
  this->Modified();
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThreshold::SetToPreset(bool mrSkull)
{
  using skull::ffi::Preset;
  const auto params = skull::ffi::threshold_params(mrSkull ? Preset::MrSkull : Preset::None);
  this->StartedFromMRSkull = mrSkull;
  this->Lower = ValueOf(params.lower, vtkMath::NegInf());
  this->Upper = ValueOf(params.upper, vtkMath::Inf());
  this->LowerMethod = SkullEffectsText(params.lower.method);
  this->UpperMethod = SkullEffectsText(params.upper.method);
  this->Bins = static_cast<int>(params.bins);
  this->DarkerHalf = params.darker_half;
  this->InvertMask = params.invert_mask;
  this->MinDepthMm = params.min_depth_mm;
  this->MaxDepthMm = params.max_depth_mm;
  this->BiasSigmaMm = params.bias_sigma_mm;
  this->MinIslandMl = params.min_island_ml;
  this->MaxHoleMl = params.max_hole_ml;
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThreshold::SetMaskSegmentID(const std::string& segmentID)
{
  this->MaskSegmentIDs.clear();
  if (!segmentID.empty())
  {
    this->MaskSegmentIDs.push_back(segmentID);
  }
  this->Modified();
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThreshold::AddMaskSegmentID(const std::string& segmentID)
{
  this->MaskSegmentIDs.push_back(segmentID);
  this->Modified();
}

//-----------------------------------------------------------------------------
int vtkSkullEffectsThreshold::GetNumberOfMethods()
{
  return static_cast<int>(skull::ffi::threshold_methods().size());
}

//-----------------------------------------------------------------------------
std::string vtkSkullEffectsThreshold::GetMethodName(int index)
{
  const auto methods = skull::ffi::threshold_methods();
  return index >= 0 && index < static_cast<int>(methods.size()) ? SkullEffectsText(methods[index]) : "";
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsThreshold::Run(const SkullEffectsRun& run)
{
  skull::ffi::ThresholdParams params;
  params.preset = this->StartedFromMRSkull ? skull::ffi::Preset::MrSkull : skull::ffi::Preset::None;
  params.lower = MakeBound(this->Lower, this->LowerMethod);
  params.upper = MakeBound(this->Upper, this->UpperMethod);
  params.bins = static_cast<size_t>(this->Bins);
  params.darker_half = this->DarkerHalf;
  params.invert_mask = this->InvertMask;
  params.min_depth_mm = this->MinDepthMm;
  params.max_depth_mm = this->MaxDepthMm;
  params.bias_sigma_mm = this->BiasSigmaMm;
  params.min_island_ml = this->MinIslandMl;
  params.max_hole_ml = this->MaxHoleMl;

  const auto report = run.Engine.threshold(run.Image, run.Mask, params, run.Output, run.Job);
  this->VolumeMl = report.volume_ml;
  this->Warnings = SkullEffectsText(report.warnings);
  this->FoundLower = report.lower;
  this->FoundUpper = report.upper;
  this->Voxels = static_cast<vtkIdType>(report.voxels);
  this->IslandsRemoved = static_cast<vtkIdType>(report.islands_removed);
  this->IslandsRemovedMl = report.islands_removed_ml;
  this->HolesFilled = static_cast<vtkIdType>(report.holes_filled);
  this->HolesFilledMl = report.holes_filled_ml;
}
