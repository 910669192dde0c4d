#ifndef qSlicerSegmentEditorThinBoneEffect_h
#define qSlicerSegmentEditorThinBoneEffect_h

#include "qSlicerSegmentEditorSkullEffectsEffect.h"

// VTK includes
#include <vtkWeakPointer.h>

class QTableWidget;
class vtkMRMLScalarVolumeNode;
class vtkSkullEffectsThinBone;

/// \brief Bone of a CT that is thinner than a voxel, put back; every opening listed for review.
///
/// The selected segment is the base bone, which is never changed: what is added becomes a segment of its own, until it is
/// merged. Parameters: ThinnestMm, LargestOpeningMm, FwhmInPlaneMm and FwhmThroughPlaneMm (0 is measured on the skin),
/// Decisions (the user's verdicts: R, A, S in mm and 0 for filled or 1 for open, comma-separated, one after the other with ;).
class Q_SLICER_SKULLEFFECTS_EFFECTS_EXPORT qSlicerSegmentEditorThinBoneEffect : public qSlicerSegmentEditorSkullEffectsEffect
{
  Q_OBJECT

public:
  typedef qSlicerSegmentEditorSkullEffectsEffect Superclass;
  explicit qSlicerSegmentEditorThinBoneEffect(QObject* parent = nullptr);
  ~qSlicerSegmentEditorThinBoneEffect() override;

  QIcon icon() override;
  Q_INVOKABLE const QString helpText() const override;
  qSlicerSegmentEditorAbstractEffect* clone() override;
  void setupOptionsFrame() override;
  void setMRMLDefaults() override;

  /// Number of openings that were found.
  Q_INVOKABLE int numberOfOpenings() const;

  /// Moves all views to an opening, counted from 0.
  Q_INVOKABLE void jumpToOpening(int index);

  /// Turns an opening's verdict between filled and open, and changes what was put back in this opening alone.
  Q_INVOKABLE bool toggleOpening(int index);

  /// Adds the bone that was put back to the selected segment, and removes its own segment.
  Q_INVOKABLE bool merge();

  /// Makes a table and points of the openings, and a volume of the walls' thickness.
  Q_INVOKABLE bool makeNodes();

protected slots:
  void onMergeClicked();
  void onMakeNodesClicked();

protected:
  vtkSmartPointer<vtkSkullEffectsOperation> createOperation() override;
  void show(vtkSkullEffectsOperation* operation) override;
  bool write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask) override;
  bool previewSelection(SkullEffectsSlicePreview::Selection& selection) override;
  QString state() override;

private:
  /// What was found last; null, with a message, where there is nothing or the volume is another one now.
  vtkSkullEffectsThinBone* lastResult();

  vtkSmartPointer<vtkSkullEffectsThinBone> Last;
  vtkWeakPointer<vtkMRMLScalarVolumeNode> LastVolume;
  QTableWidget* Openings{ nullptr };
  std::string AddedSegmentID;

  Q_DISABLE_COPY(qSlicerSegmentEditorThinBoneEffect);
};

#endif
