#ifndef qSlicerSkullEffectsModule_h
#define qSlicerSkullEffectsModule_h

// Slicer includes
#include <qSlicerLoadableModule.h>

#include "qSlicerSkullEffectsModuleExport.h"

/// \brief Registers the effects with the Segment Editor, and is found by who looks for the extension in the module list.
class Q_SLICER_QTMODULES_SKULLEFFECTS_EXPORT qSlicerSkullEffectsModule : public qSlicerLoadableModule
{
  Q_OBJECT
  Q_PLUGIN_METADATA(IID "org.slicer.modules.loadable.qSlicerLoadableModule/1.0");
  Q_INTERFACES(qSlicerLoadableModule);

public:
  typedef qSlicerLoadableModule Superclass;
  explicit qSlicerSkullEffectsModule(QObject* parent = nullptr);
  ~qSlicerSkullEffectsModule() override;

  qSlicerGetTitleMacro(tr("Skull Effects"));

  QString helpText() const override;
  QString acknowledgementText() const override;
  QStringList contributors() const override;
  QIcon icon() const override;
  QStringList categories() const override;
  QStringList dependencies() const override;

protected:
  void setup() override;
  qSlicerAbstractModuleRepresentation* createWidgetRepresentation() override;
  vtkMRMLAbstractLogic* createLogic() override;

private:
  Q_DISABLE_COPY(qSlicerSkullEffectsModule);
};

#endif
