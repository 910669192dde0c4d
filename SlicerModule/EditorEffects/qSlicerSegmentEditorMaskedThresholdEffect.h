#ifndef qSlicerSegmentEditorMaskedThresholdEffect_h
#define qSlicerSegmentEditorMaskedThresholdEffect_h

#include "qSlicerSegmentEditorSkullEffectsEffect.h"

class qSlicerSegmentEditorMaskedThresholdEffectPrivate;

/// \brief What lies between two intensities, inside a mask.
///
/// Parameters: Preset (NONE, MR_SKULL; see usePreset()), MaskSegmentID (or VISIBLE_SEGMENTS; empty is everywhere),
/// InvertMask, MinimumThreshold, MaximumThreshold, Method (NONE or a method's name), Side (HIGH, LOW), MinimumDepthMm,
/// MaximumDepthMm (0 is no limit), BiasSigmaMm, MinimumIslandMl, MaximumHoleMl.
class Q_SLICER_SKULLEFFECTS_EFFECTS_EXPORT qSlicerSegmentEditorMaskedThresholdEffect : public qSlicerSegmentEditorSkullEffectsEffect
{
  Q_OBJECT

public:
  typedef qSlicerSegmentEditorSkullEffectsEffect Superclass;
  explicit qSlicerSegmentEditorMaskedThresholdEffect(QObject* parent = nullptr);
  ~qSlicerSegmentEditorMaskedThresholdEffect() override;

  QIcon icon() override;
  Q_INVOKABLE const QString helpText() const override;
  qSlicerSegmentEditorAbstractEffect* clone() override;
  void setupOptionsFrame() override;
  void setMRMLDefaults() override;
  void activate() override;
  void sourceVolumeNodeChanged() override;

  /// Sets all options but the mask to a preset's: NONE, or MR_SKULL for what may be skull in MR. What one must know of a
  /// preset's result is among lastWarnings() after findBounds() and apply(), whatever is changed later.
  Q_INVOKABLE bool usePreset(const QString& preset);

  /// Sets the bounds to those that the chosen method finds among the voxels of the mask.
  Q_INVOKABLE bool findBounds();

public slots:
  void updateGUIFromMRML() override;

protected slots:
  void onPresetChosen(int index);
  void onFindClicked();
  void onSelectionDragged(double lower, double upper);

protected:
  vtkSmartPointer<vtkSkullEffectsOperation> createOperation() override;
  bool previewSelection(SkullEffectsSlicePreview::Selection& selection) override;
  bool write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask) override;
  QString state() override;

private:
  void updateMask();
  void updateHistogram();

  QScopedPointer<qSlicerSegmentEditorMaskedThresholdEffectPrivate> d_ptr;
  Q_DECLARE_PRIVATE(qSlicerSegmentEditorMaskedThresholdEffect);
  Q_DISABLE_COPY(qSlicerSegmentEditorMaskedThresholdEffect);
};

#endif
