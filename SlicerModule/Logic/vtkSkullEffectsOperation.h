#ifndef vtkSkullEffectsOperation_h
#define vtkSkullEffectsOperation_h

#include "vtkSlicerSkullEffectsModuleLogicExport.h"

// VTK includes
#include <vtkObject.h>

// STD includes
#include <string>
#include <vector>

struct SkullEffectsRun;

/// \brief What can be done to a volume to get a segment: parameters before, measures after.
///
/// vtkSlicerSkullEffectsLogic runs it. The parameters' defaults need no touch; those of an operation that runs must not
/// be changed.
class VTK_SLICER_SKULLEFFECTS_MODULE_LOGIC_EXPORT vtkSkullEffectsOperation : public vtkObject
{
public:
  vtkAbstractTypeMacro(vtkSkullEffectsOperation, vtkObject);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /// Name of the segment that is made where none is given.
  virtual std::string GetDefaultSegmentName() const = 0;

  /// Segments, of the same segmentation, inside of any of which the operation works. None is everywhere.
  virtual std::vector<std::string> GetMaskSegmentIDs() const { return {}; }

  /// Whether it works on the volume's own voxels rather than on the volume resampled to the segmentation's geometry.
  ///
  /// An operation does where the whole image decides: its result is resampled to the segmentation's geometry then.
  virtual bool GetNeedsWholeVolume() const = 0;

  /// Volume of the result, in millilitres.
  vtkGetMacro(VolumeMl, double);

  ///@{
  /// What the user should know about the result.
  int GetNumberOfWarnings() const;
  std::string GetWarning(int index) const;
  ///@}

protected:
  vtkSkullEffectsOperation();
  ~vtkSkullEffectsOperation() override;

  friend class vtkSlicerSkullEffectsLogic;
  /// Fills the output, on another thread than the caller's. Throws rust::Error.
  virtual void Run(const SkullEffectsRun& run) = 0;

  double VolumeMl{ 0. };
  std::vector<std::string> Warnings;

private:
  vtkSkullEffectsOperation(const vtkSkullEffectsOperation&) = delete;
  void operator=(const vtkSkullEffectsOperation&) = delete;
};

#endif
