#include "vtkSkullEffectsSkin.h"
#include "SkullEffectsRun.h"
#include "SkullEffectsText.h"

// VTK includes
#include <vtkMath.h>
#include <vtkObjectFactory.h>

//-----------------------------------------------------------------------------
vtkStandardNewMacro(vtkSkullEffectsSkin);

//-----------------------------------------------------------------------------
vtkSkullEffectsSkin::vtkSkullEffectsSkin()
{
  const auto params = skull::ffi::default_skin_params();
  this->Modality = static_cast<int>(params.modality);
  this->Threshold = params.find_threshold ? vtkMath::Nan() : params.threshold;
  this->OpeningMm = params.opening_mm;
  this->KeepAirways = params.keep_airways;
}

//-----------------------------------------------------------------------------
vtkSkullEffectsSkin::~vtkSkullEffectsSkin() = default;

//-----------------------------------------------------------------------------
void vtkSkullEffectsSkin::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "Modality: " << this->Modality << "\n";
  os << indent << "Threshold: " << this->Threshold << "\n";
  os << indent << "OpeningMm: " << this->OpeningMm << "\n";
  os << indent << "KeepAirways: " << this->KeepAirways << "\n";
}

//-----------------------------------------------------------------------------
void vtkSkullEffectsSkin::Run(const SkullEffectsRun& run)
{
  skull::ffi::SkinParams params;
  params.modality = static_cast<skull::ffi::Modality>(this->Modality);
  params.find_threshold = vtkMath::IsNan(this->Threshold);
  params.threshold = this->Threshold;
  params.opening_mm = this->OpeningMm;
  params.keep_airways = this->KeepAirways;

  const auto report = run.Engine.skin(run.Image, params, run.Output, run.Job);
  this->VolumeMl = report.volume_ml;
  this->Warnings = SkullEffectsText(report.warnings);
  this->FoundModality = static_cast<int>(report.modality);
  this->FoundThreshold = report.threshold;
  this->Noise = report.noise;
  this->CutOffMl = report.cut_off_ml;
  this->TouchedFaces = SkullEffectsText(report.touched_faces);
}
