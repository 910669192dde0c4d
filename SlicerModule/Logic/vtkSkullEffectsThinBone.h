#ifndef vtkSkullEffectsThinBone_h
#define vtkSkullEffectsThinBone_h

#include "vtkSkullEffectsOperation.h"

// VTK includes
#include <vtkSmartPointer.h>

// STD includes
#include <array>
#include <vector>

class vtkFloatArray;
class vtkMRMLMarkupsFiducialNode;
class vtkMRMLScalarVolumeNode;
class vtkMRMLTableNode;
class vtkOrientedImageData;
class vtkSegment;

/// \brief Walls thinner than a voxel, put back into the bone of a CT, with every opening listed.
///
/// The result is the bone that is added; the base bone is never changed.
class VTK_SLICER_SKULLEFFECTS_MODULE_LOGIC_EXPORT vtkSkullEffectsThinBone : public vtkSkullEffectsOperation
{
public:
  static vtkSkullEffectsThinBone* New();
  vtkTypeMacro(vtkSkullEffectsThinBone, vtkSkullEffectsOperation);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  std::string GetDefaultSegmentName() const override { return "Thin bone"; }
  std::vector<std::string> GetMaskSegmentIDs() const override { return { this->BoneSegmentID }; }
  bool GetNeedsWholeVolume() const override { return true; }

  /// The segment that holds the base bone.
  vtkSetMacro(BoneSegmentID, std::string);
  vtkGetMacro(BoneSegmentID, std::string);

  ///@{
  /// The scanner's blur: full widths at half maximum, in-plane and through-plane, in mm. 0, the default, has it measured
  /// on the skin.
  vtkSetMacro(FwhmInPlaneMm, double);
  vtkGetMacro(FwhmInPlaneMm, double);
  vtkSetMacro(FwhmThroughPlaneMm, double);
  vtkGetMacro(FwhmThroughPlaneMm, double);
  ///@}

  ///@{
  /// The thinnest wall that is looked for, in mm.
  vtkSetMacro(ThinnestMm, double);
  vtkGetMacro(ThinnestMm, double);
  ///@}

  ///@{
  /// Openings up to the area of a circle of this diameter, in mm, are listed.
  vtkSetMacro(LargestOpeningMm, double);
  vtkGetMacro(LargestOpeningMm, double);
  ///@}

  ///@{
  /// The box that is worked on, in the volume's RAS: from and to along R, A and S. Uninitialized bounds, the default, are
  /// the whole scan; the blur is always measured on the whole.
  vtkSetVector6Macro(RoiMm, double);
  vtkGetVector6Macro(RoiMm, double);
  ///@}

  enum
  {
    Filled = 0,
    Open,
    Undecided
  };

  ///@{
  /// Verdicts to use instead of the found ones, on the openings nearest to a place in the volume's RAS.
  void AddDecision(double r, double a, double s, int verdict);
  void RemoveAllDecisions();
  int GetNumberOfDecisions() const;
  ///@}

  ///@{
  /// The user's verdicts belong to the bone: as a tag of its segment they are saved and loaded with it, and undone with it.
  /// ReadDecisions() takes the segment's instead of those that were added.
  void ReadDecisions(vtkSegment* bone);
  /// The tag's text: of each verdict R, A, S in mm and the verdict, with commas; with a semicolon between them.
  static std::string GetDecisionsText(vtkSegment* bone);
  /// Adds an opening's verdict, instead of an earlier one on the same opening.
  void WriteDecision(int index, vtkSegment* bone);
  /// Forgets the verdicts that filled an opening, as is due when the bone has got what they added.
  static void RemoveFilledDecisions(vtkSegment* bone);
  ///@}

  ///@{
  /// What was found; an opening is given by its index from 0, largest first.
  vtkGetMacro(FoundFwhmInPlaneMm, double);
  vtkGetMacro(FoundFwhmThroughPlaneMm, double);
  vtkGetMacro(ThinnestSeenMm, double);
  vtkGetMacro(SmallestHoleMm, double);
  vtkGetMacro(Sheets, int);
  int GetNumberOfOpenings() const;
  int GetOpeningVerdict(int index) const;
  bool GetOpeningDecided(int index) const;
  double GetOpeningDiameterMm(int index) const;
  void GetOpeningCenter(int index, double center[3]) const VTK_SIZEHINT(center, 3);
  /// Wall that its middle shows as a share of its rim's, the standard error of that, and what it would be if the opening
  /// were empty; NaN where it cannot be measured.
  void GetOpeningResidual(int index, double residual[3]) const VTK_SIZEHINT(residual, 3);
  /// HU on both sides.
  void GetOpeningMediaHu(int index, double media[2]) const VTK_SIZEHINT(media, 2);
  ///@}

  /// Gives an opening the user's verdict without another run. What changes by it is WriteOpeningVoxels().
  void SetOpeningVerdict(int index, int verdict);

  /// Gives the openings the verdicts that stand in the segment now, and those of the run where none does: follows an undo of
  /// WriteDecision().
  void UpdateVerdicts(vtkSegment* bone);

  /// Sets a mask to the voxels, in the geometry of the volume that was run on, that are bone where the opening is filled,
  /// apart from those that another filled opening has. It is only as large as the opening.
  void WriteOpeningVoxels(int index, vtkOrientedImageData* mask, vtkMRMLScalarVolumeNode* volume);

  ///@{
  /// Writes what was found: a row for each opening; a point in each, named by verdict and number, where the volume is
  /// seen; and the walls' thickness in mm, on the volume's grid.
  void WriteOpenings(vtkMRMLTableNode* table);
  void WriteOpenings(vtkMRMLMarkupsFiducialNode* points, vtkMRMLScalarVolumeNode* volume);
  void WriteThickness(vtkMRMLScalarVolumeNode* thickness, vtkMRMLScalarVolumeNode* volume);
  ///@}

protected:
  vtkSkullEffectsThinBone();
  ~vtkSkullEffectsThinBone() override;
  void Run(const SkullEffectsRun& run) override;

  struct Opening
  {
    double Center[3];
    double Axis[3];
    double DiameterMm;
    double AreaMm2;
    int Verdict;
    bool Decided;
    /// Verdict and Decided as the run left them.
    int RunVerdict;
    bool RunDecided;
    double Residual;
    double ResidualError;
    double ResidualIfEmpty;
    double RimMm;
    double MediaHu[2];
    std::vector<std::array<int, 3>> Voxels;
  };
  struct Decision
  {
    double Center[3];
    int Verdict;
  };

  std::string BoneSegmentID;
  double FwhmInPlaneMm;
  double FwhmThroughPlaneMm;
  double ThinnestMm;
  double LargestOpeningMm;
  double RoiMm[6];
  std::vector<Decision> Decisions;

  double FoundFwhmInPlaneMm{ 0. };
  double FoundFwhmThroughPlaneMm{ 0. };
  double ThinnestSeenMm{ 0. };
  double SmallestHoleMm{ 0. };
  int Sheets{ 0 };
  std::vector<Opening> Openings;
  vtkSmartPointer<vtkFloatArray> Thickness;

private:
  vtkSkullEffectsThinBone(const vtkSkullEffectsThinBone&) = delete;
  void operator=(const vtkSkullEffectsThinBone&) = delete;
};

#endif
