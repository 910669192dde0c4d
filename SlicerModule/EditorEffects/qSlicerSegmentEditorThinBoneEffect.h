#ifndef qSlicerSegmentEditorThinBoneEffect_h
#define qSlicerSegmentEditorThinBoneEffect_h

#include "qSlicerSegmentEditorSkullEffectsEffect.h"

class QTableWidget;

/// \brief Bone of a CT that is thinner than a voxel, put back; every opening listed for review.
///
/// The selected segment is the base bone, which is never changed: what is added becomes a segment of its own, until it is
/// merged. Parameters: ThinnestMm, LargestOpeningMm, FwhmInPlaneMm and FwhmThroughPlaneMm (0 is measured on the skin).
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

  /// Adds the bone that was put back to the selected segment, and removes its own segment.
  Q_INVOKABLE bool merge();

protected slots:
  void onMergeClicked();
  /// Moves all views to an opening.
  void onOpeningClicked(int row);
  /// Turns an opening's verdict, and applies again.
  void onOpeningDoubleClicked(int row);

protected:
  vtkSmartPointer<vtkSkullEffectsOperation> createOperation() override;
  bool write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask) override;

private:
  void showOpenings();

  vtkSmartPointer<vtkSkullEffectsOperation> Last;
  QTableWidget* Openings{ nullptr };
  struct Decision
  {
    double Center[3];
    int Verdict;
  };
  QList<Decision> Decisions;
  std::string AddedSegmentID;

  Q_DISABLE_COPY(qSlicerSegmentEditorThinBoneEffect);
};

#endif
