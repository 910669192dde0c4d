#ifndef qSlicerSkullEffectsModuleWidget_h
#define qSlicerSkullEffectsModuleWidget_h

// Slicer includes
#include <qSlicerAbstractModuleWidget.h>

#include "qSlicerSkullEffectsModuleExport.h"

/// \brief Says what the extension does, and leads to where it does it.
class Q_SLICER_QTMODULES_SKULLEFFECTS_EXPORT qSlicerSkullEffectsModuleWidget : public qSlicerAbstractModuleWidget
{
  Q_OBJECT

public:
  typedef qSlicerAbstractModuleWidget Superclass;
  explicit qSlicerSkullEffectsModuleWidget(QWidget* parent = nullptr);
  ~qSlicerSkullEffectsModuleWidget() override;

protected:
  void setup() override;

private:
  Q_DISABLE_COPY(qSlicerSkullEffectsModuleWidget);
};

#endif
