#ifndef vtkSkullEffectsSkin_h
#define vtkSkullEffectsSkin_h

#include "vtkSkullEffectsOperation.h"

/// \brief The solid head from any MR or CT: one part without holes, no table, tubes or noise.
class VTK_SLICER_SKULLEFFECTS_MODULE_LOGIC_EXPORT vtkSkullEffectsSkin : public vtkSkullEffectsOperation
{
public:
  static vtkSkullEffectsSkin* New();
  vtkTypeMacro(vtkSkullEffectsSkin, vtkSkullEffectsOperation);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  std::string GetDefaultSegmentName() const override { return "Skin"; }
  bool GetNeedsWholeVolume() const override { return true; }

  enum
  {
    ModalityAuto = 0,
    ModalityCT,
    ModalityMR
  };

  ///@{
  /// What kind of image it is; found from the intensities by default.
  vtkSetClampMacro(Modality, int, ModalityAuto, ModalityMR);
  vtkGetMacro(Modality, int);
  ///@}

  ///@{
  /// Lowest intensity of tissue, in image units (HU in CT). NaN, the default, has it found from the image.
  vtkSetMacro(Threshold, double);
  vtkGetMacro(Threshold, double);
  ///@}

  ///@{
  /// Openings (nostrils, ear canals, mouth) up to this diameter, in mm, are sealed.
  vtkSetMacro(OpeningMm, double);
  vtkGetMacro(OpeningMm, double);
  ///@}

  ///@{
  /// Leave the air spaces that reach the outside open instead of filling them.
  vtkSetMacro(KeepAirways, bool);
  vtkGetMacro(KeepAirways, bool);
  vtkBooleanMacro(KeepAirways, bool);
  ///@}

  /// What kind of image it was taken for.
  vtkGetMacro(FoundModality, int);
  /// Lowest intensity of tissue that was used, in image units.
  vtkGetMacro(FoundThreshold, double);
  /// Standard deviation of the background's noise, in image units.
  vtkGetMacro(Noise, double);
  /// Volume of what was cut off (table, holder, tubes, ghosts), in millilitres.
  vtkGetMacro(CutOffMl, double);
  /// Faces of the volume that the head touches, as letters among RLAPSI.
  vtkGetMacro(TouchedFaces, std::string);

protected:
  vtkSkullEffectsSkin();
  ~vtkSkullEffectsSkin() override;
  void Run(const SkullEffectsRun& run) override;

  int Modality;
  double Threshold;
  double OpeningMm;
  bool KeepAirways;

  int FoundModality{ ModalityAuto };
  double FoundThreshold{ 0. };
  double Noise{ 0. };
  double CutOffMl{ 0. };
  std::string TouchedFaces;

private:
  vtkSkullEffectsSkin(const vtkSkullEffectsSkin&) = delete;
  void operator=(const vtkSkullEffectsSkin&) = delete;
};

#endif
