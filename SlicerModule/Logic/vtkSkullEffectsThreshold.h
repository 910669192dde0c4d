#ifndef vtkSkullEffectsThreshold_h
#define vtkSkullEffectsThreshold_h

#include "vtkSkullEffectsOperation.h"

/// \brief What lies between two intensities, inside a mask.
///
/// The default selects every number, everywhere.
class VTK_SLICER_SKULLEFFECTS_MODULE_LOGIC_EXPORT vtkSkullEffectsThreshold : public vtkSkullEffectsOperation
{
public:
  static vtkSkullEffectsThreshold* New();
  vtkTypeMacro(vtkSkullEffectsThreshold, vtkSkullEffectsOperation);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  std::string GetDefaultSegmentName() const override { return "Bone"; }
  std::vector<std::string> GetMaskSegmentIDs() const override { return this->MaskSegmentIDs; }
  bool GetNeedsWholeVolume() const override { return false; }

  /// Parameters for what may be skull in MR; needs a mask of the head.
  void SetToMRSkull();

  ///@{
  /// Number and names of the methods that find a bound.
  static int GetNumberOfMethods();
  static std::string GetMethodName(int index);
  ///@}

  ///@{
  /// Lowest and highest intensity, in image units. Infinite, the default, is no bound.
  vtkSetMacro(Lower, double);
  vtkGetMacro(Lower, double);
  vtkSetMacro(Upper, double);
  vtkGetMacro(Upper, double);
  ///@}

  ///@{
  /// The method that finds the bound instead; empty, the default, uses the intensity given.
  vtkSetMacro(LowerMethod, std::string);
  vtkGetMacro(LowerMethod, std::string);
  vtkSetMacro(UpperMethod, std::string);
  vtkGetMacro(UpperMethod, std::string);
  ///@}

  ///@{
  /// Number of bins of the histogram in which methods look.
  vtkSetClampMacro(Bins, int, 2, 65536);
  vtkGetMacro(Bins, int);
  ///@}

  ///@{
  /// Have methods look among the voxels up to the median only.
  vtkSetMacro(DarkerHalf, bool);
  vtkGetMacro(DarkerHalf, bool);
  vtkBooleanMacro(DarkerHalf, bool);
  ///@}

  ///@{
  /// The segments inside of any of which is selected, and bounds are found. SetMaskSegmentID() leaves this one alone; an empty
  /// one is everywhere.
  void SetMaskSegmentID(const std::string& segmentID);
  void AddMaskSegmentID(const std::string& segmentID);
  ///@}

  ///@{
  /// Select outside the mask instead.
  vtkSetMacro(InvertMask, bool);
  vtkGetMacro(InvertMask, bool);
  vtkBooleanMacro(InvertMask, bool);
  ///@}

  ///@{
  /// Select only from this depth below the mask's surface to that one, in mm.
  vtkSetMacro(MinDepthMm, double);
  vtkGetMacro(MinDepthMm, double);
  vtkSetMacro(MaxDepthMm, double);
  vtkGetMacro(MaxDepthMm, double);
  ///@}

  ///@{
  /// Even out brightness on this scale, in mm, first; 0 does not.
  vtkSetMacro(BiasSigmaMm, double);
  vtkGetMacro(BiasSigmaMm, double);
  ///@}

  ///@{
  /// Remove connected parts smaller than this, in millilitres; 0 keeps all.
  vtkSetMacro(MinIslandMl, double);
  vtkGetMacro(MinIslandMl, double);
  ///@}

  ///@{
  /// Fill enclosed cavities smaller than this, in millilitres; 0 fills none.
  vtkSetMacro(MaxHoleMl, double);
  vtkGetMacro(MaxHoleMl, double);
  ///@}

  ///@{
  /// The bounds that were used; infinite where there was none.
  vtkGetMacro(FoundLower, double);
  vtkGetMacro(FoundUpper, double);
  ///@}
  /// Number of voxels that were selected.
  vtkGetMacro(Voxels, vtkIdType);
  ///@{
  /// Number and volume, in millilitres, of the islands that were removed and the cavities that were filled.
  vtkGetMacro(IslandsRemoved, vtkIdType);
  vtkGetMacro(IslandsRemovedMl, double);
  vtkGetMacro(HolesFilled, vtkIdType);
  vtkGetMacro(HolesFilledMl, double);
  ///@}

protected:
  vtkSkullEffectsThreshold();
  ~vtkSkullEffectsThreshold() override;
  void Run(const SkullEffectsRun& run) override;
  void SetToPreset(bool mrSkull);

  bool StartedFromMRSkull{ false };
  double Lower;
  double Upper;
  std::string LowerMethod;
  std::string UpperMethod;
  int Bins;
  bool DarkerHalf;
  std::vector<std::string> MaskSegmentIDs;
  bool InvertMask;
  double MinDepthMm;
  double MaxDepthMm;
  double BiasSigmaMm;
  double MinIslandMl;
  double MaxHoleMl;

  double FoundLower{ 0. };
  double FoundUpper{ 0. };
  vtkIdType Voxels{ 0 };
  vtkIdType IslandsRemoved{ 0 };
  double IslandsRemovedMl{ 0. };
  vtkIdType HolesFilled{ 0 };
  double HolesFilledMl{ 0. };

private:
  vtkSkullEffectsThreshold(const vtkSkullEffectsThreshold&) = delete;
  void operator=(const vtkSkullEffectsThreshold&) = delete;
};

#endif
