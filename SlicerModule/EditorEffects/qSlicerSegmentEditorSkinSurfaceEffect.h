#ifndef qSlicerSegmentEditorSkinSurfaceEffect_h
#define qSlicerSegmentEditorSkinSurfaceEffect_h

#include "qSlicerSegmentEditorSkullEffectsEffect.h"

/// \brief The solid head from any MR or CT in one click.
///
/// Parameters: Modality (AUTO, CT, MR), AutomaticThreshold, Threshold, OpeningMm, KeepAirways.
class Q_SLICER_SKULLEFFECTS_EFFECTS_EXPORT qSlicerSegmentEditorSkinSurfaceEffect : public qSlicerSegmentEditorSkullEffectsEffect
{
  Q_OBJECT

public:
  typedef qSlicerSegmentEditorSkullEffectsEffect Superclass;
  explicit qSlicerSegmentEditorSkinSurfaceEffect(QObject* parent = nullptr);
  ~qSlicerSegmentEditorSkinSurfaceEffect() override;

  QIcon icon() override;
  Q_INVOKABLE const QString helpText() const override;
  qSlicerSegmentEditorAbstractEffect* clone() override;
  void setupOptionsFrame() override;

public slots:
  void updateGUIFromMRML() override;

protected:
  vtkSmartPointer<vtkSkullEffectsOperation> createOperation() override;
  QString summary(vtkSkullEffectsOperation* operation) override;

private:
  Q_DISABLE_COPY(qSlicerSegmentEditorSkinSurfaceEffect);
};

#endif
