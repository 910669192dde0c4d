#include "vtkSkullEffectsOperation.h"

//-----------------------------------------------------------------------------
vtkSkullEffectsOperation::vtkSkullEffectsOperation() = default;

//-----------------------------------------------------------------------------
vtkSkullEffectsOperation::~vtkSkullEffectsOperation() = default;

//-----------------------------------------------------------------------------
void vtkSkullEffectsOperation::PrintSelf(ostream& os, vtkIndent indent)
{
  this->Superclass::PrintSelf(os, indent);
  os << indent << "VolumeMl: " << this->VolumeMl << "\n";
  for (const std::string& warning : this->Warnings)
  {
    os << indent << "Warning: " << warning << "\n";
  }
}

//-----------------------------------------------------------------------------
int vtkSkullEffectsOperation::GetNumberOfWarnings() const
{
  return static_cast<int>(this->Warnings.size());
}

//-----------------------------------------------------------------------------
std::string vtkSkullEffectsOperation::GetWarning(int index) const
{
  return index >= 0 && index < this->GetNumberOfWarnings() ? this->Warnings[index] : "";
}
