#ifndef qSlicerSegmentEditorThinBoneEffect_h
#define qSlicerSegmentEditorThinBoneEffect_h

#include "qSlicerSegmentEditorSkullEffectsEffect.h"

// VTK includes
#include <vtkWeakPointer.h>

class QPushButton;
class QTableWidget;
class qMRMLNodeComboBox;
class vtkMRMLNode;
class vtkMRMLScalarVolumeNode;
class vtkSegment;
class vtkSkullEffectsThinBone;

/// \brief Bone of a CT that is thinner than a voxel, put back; every opening listed for review.
///
/// The selected segment is the base bone, which is never changed: what is added becomes a segment of its own, until it is
/// merged. Parameters: ThinnestMm, LargestOpeningMm, FwhmInPlaneMm and FwhmThroughPlaneMm (0 is measured on the skin); and
/// the node reference Region, a markups ROI. The user's verdicts stand in the segment of the bone.
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

public slots:
  void updateGUIFromMRML() override;

protected slots:
  void onRegionChosen(vtkMRMLNode* region);
  void onRegionAdded(vtkMRMLNode* region);
  void onMergeClicked();
  void onMakeNodesClicked();

protected:
  vtkSmartPointer<vtkSkullEffectsOperation> createOperation() override;
  void show(vtkSkullEffectsOperation* operation) override;
  bool write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask) override;
  bool previewSelection(SkullEffectsSlicePreview::Selection& selection) override;
  QString summary(vtkSkullEffectsOperation* operation) override;
  void follow() override;
  QString state() override;

private:
  /// What was found last; null, with a message, where there is nothing or the volume is another one now.
  vtkSkullEffectsThinBone* lastResult();
  /// The selected segment; null where none is.
  vtkSegment* bone();
  /// The segment of what was added to the selected one; empty where there is none.
  std::string addedSegmentID();
  /// Lists the openings with their verdicts.
  void list();

  vtkSmartPointer<vtkSkullEffectsThinBone> Last;
  vtkWeakPointer<vtkMRMLScalarVolumeNode> LastVolume;
  qMRMLNodeComboBox* Region{ nullptr };
  QTableWidget* Openings{ nullptr };
  QPushButton* Merge{ nullptr };
  QPushButton* MakeNodes{ nullptr };
  /// The bone's decisions as the list shows them.
  std::string ListedDecisions;

  Q_DISABLE_COPY(qSlicerSegmentEditorThinBoneEffect);
};

#endif
