#ifndef vtkSlicerSkullEffectsLogic_h
#define vtkSlicerSkullEffectsLogic_h

#include "vtkSlicerSkullEffectsModuleLogicExport.h"

// Slicer includes
#include <vtkSlicerModuleLogic.h>

// STD includes
#include <memory>
#include <string>
#include <vector>

class vtkDoubleArray;
class vtkMRMLMarkupsROINode;
class vtkMRMLModelNode;
class vtkMRMLScalarVolumeNode;
class vtkMRMLSegmentEditorNode;
class vtkMRMLSegmentationNode;
class vtkOrientedImageData;
class vtkSkullEffectsOperation;
class vtkSkullEffectsThinBone;
class vtkSlicerSegmentEditorLogic;

/// \brief Runs the kernels on volume and segmentation nodes.
///
/// Methods return whether they succeeded; where they did not, the error message says what to do, and nothing was
/// changed. The kernel runs on threads of its own, while the calling thread waits and invokes vtkCommand::ProgressEvent
/// (call data: fraction done, double) some twenty times a second. An observer may process user events and may cancel.
/// Where it changes the volume or the segmentation, or closes the scene, nothing is written.
class VTK_SLICER_SKULLEFFECTS_MODULE_LOGIC_EXPORT vtkSlicerSkullEffectsLogic : public vtkSlicerModuleLogic
{
public:
  static vtkSlicerSkullEffectsLogic* New();
  vtkTypeMacro(vtkSlicerSkullEffectsLogic, vtkSlicerModuleLogic);
  void PrintSelf(ostream& os, vtkIndent indent) override;

  /// Sets a segment to the operation's result. No masking applies, and no other segment changes.
  ///
  /// The segmentation may have any reference geometry; if it has none yet, it gets the volume's.
  bool Apply(vtkSkullEffectsOperation* operation, vtkMRMLScalarVolumeNode* volume, vtkMRMLSegmentationNode* segmentation, const std::string& segmentID);

  /// Sets the segment that is selected in the editor to the operation's result on the editor's source volume, as an
  /// effect does: the state is saved for undo, and masking and overwriting are as the editor is set to. The segment
  /// that the operation has as its mask is never overwritten.
  bool Apply(vtkSkullEffectsOperation* operation, vtkSlicerSegmentEditorLogic* editor);

  /// Adds a segment of the operation's result.
  /// \param name The segment's name; where it is empty, the operation's.
  /// \return The segment's ID, empty where the operation did not succeed.
  std::string ApplyToNewSegment(vtkSkullEffectsOperation* operation,
                                vtkMRMLScalarVolumeNode* volume,
                                vtkMRMLSegmentationNode* segmentation,
                                const std::string& name = "");

  /// Computes the operation's result in the segmentation's reference geometry (unsigned char, 0 and 1) and writes it
  /// nowhere else.
  bool ComputeMask(vtkSkullEffectsOperation* operation,
                   vtkMRMLScalarVolumeNode* volume,
                   vtkMRMLSegmentationNode* segmentation,
                   vtkOrientedImageData* mask);

  /// Computes what an opening's verdict decides about, in the segmentation's geometry, as SetOpeningVerdict() of the
  /// operation has it added or removed.
  bool ComputeOpeningMask(vtkSkullEffectsThinBone* operation,
                          int index,
                          vtkMRMLScalarVolumeNode* volume,
                          vtkMRMLSegmentationNode* segmentation,
                          vtkOrientedImageData* mask);

  /// The box along R, A and S of the volume that holds a region of interest, which may be turned and below any transform.
  static void GetRegionBounds(vtkMRMLMarkupsROINode* region, vtkMRMLScalarVolumeNode* volume, double bounds[6]) VTK_SIZEHINT(bounds, 6);

  /// Counts the volume's intensities in the segmentation's geometry, inside any of some segments or, inverted, outside of them.
  /// \param counts The number of voxels in each bin; its number of values is the number of bins.
  /// \param range Lower edge of the first and upper edge of the last bin, in image units.
  bool ComputeHistogram(vtkMRMLScalarVolumeNode* volume,
                        vtkMRMLSegmentationNode* segmentation,
                        const std::vector<std::string>& maskSegmentIDs,
                        bool invertMask,
                        vtkDoubleArray* counts,
                        double range[2]);

  /// Makes a closed, smooth surface of a segment, ready to print, and puts it below the segmentation's transform.
  /// \param smoothing Passes of smoothing; 0 keeps the voxels' faces, a negative number takes the default.
  bool MakeSurface(vtkMRMLSegmentationNode* segmentation, const std::string& segmentID, vtkMRMLModelNode* model, int smoothing = -1);

  ///@{
  /// What the last surface is like: volume in millilitres, area in cm2, whether it is closed, a 2-manifold and
  /// consistently oriented, and the number of its pieces.
  vtkGetMacro(SurfaceVolumeMl, double);
  vtkGetMacro(SurfaceAreaCm2, double);
  vtkGetMacro(SurfaceClosedManifold, bool);
  vtkGetMacro(SurfaceComponents, int);
  ///@}

  /// Adds an empty segment, with terminology and colour if the name is that of a known structure (Skin, Bone, Skull).
  /// \return Its ID.
  static std::string AddSegment(vtkMRMLSegmentationNode* segmentation, const std::string& name);

  /// Empties a segment that is about to be set, if the editor's masking keeps nothing of it. Adding to it is then the same
  /// as setting it, and several times faster.
  /// \return Whether it is empty now.
  static bool ClearSegmentToSet(vtkMRMLSegmentEditorNode* editor, const std::string& segmentID);

  /// Colour of a new segment of this name; that of bone where the name is not that of a known structure.
  static void GetSegmentColor(const std::string& name, double color[3]) VTK_SIZEHINT(color, 3);

  /// Why the last operation did not succeed; empty where it did.
  vtkGetMacro(ErrorMessage, std::string);
  /// Whether the last operation ended because it was cancelled.
  vtkGetMacro(Cancelled, bool);

  ///@{
  /// Of the operation that runs.
  bool GetRunning() const;
  double GetProgress() const;
  void Cancel();
  ///@}

  ///@{
  /// Number of threads that kernels run on; 0, the default, takes one for each of the machine's cores.
  void SetNumberOfThreads(int threads);
  int GetNumberOfThreads() const;
  ///@}

  /// Fails as a mistake in a kernel would, so that it can be tested that Slicer survives one.
  bool Panic();

protected:
  vtkSlicerSkullEffectsLogic();
  ~vtkSlicerSkullEffectsLogic() override;

  double SurfaceVolumeMl{ 0. };
  double SurfaceAreaCm2{ 0. };
  bool SurfaceClosedManifold{ false };
  int SurfaceComponents{ 0 };
  std::string ErrorMessage;
  bool Cancelled{ false };

private:
  vtkSlicerSkullEffectsLogic(const vtkSlicerSkullEffectsLogic&) = delete;
  void operator=(const vtkSlicerSkullEffectsLogic&) = delete;

  class vtkInternal;
  std::unique_ptr<vtkInternal> Internal;
};

#endif
