#include "qSlicerSkullEffectsModuleWidget.h"

// Slicer includes
#include <qSlicerCoreApplication.h>
#include <vtkSlicerConfigure.h> // For Slicer_USE_PYTHONQT
#ifdef Slicer_USE_PYTHONQT
#include <qSlicerCorePythonManager.h>
#endif

// Qt includes
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

namespace
{
//-----------------------------------------------------------------------------
/// What the Segment Editor and the sample data are reached by is Python.
void Execute(const QString& code)
{
#ifdef Slicer_USE_PYTHONQT
  qSlicerCoreApplication::application()->corePythonManager()->executeString(code);
#else
  Q_UNUSED(code);
#endif
}

//-----------------------------------------------------------------------------
QString OpenEffect(const QString& name)
{
  return QString("slicer.util.selectModule('SegmentEditor')\n"
                 "slicer.modules.SegmentEditorWidget.editor.setActiveEffectByName('%1')\n")
    .arg(name);
}

const char* const SKIN_OF_ALL = "import SkullEffects\n"
                                "items = SkullEffects.batch(SkullEffects.skin, slicer.util.getNodesByClass('vtkMRMLScalarVolumeNode'))\n"
                                "slicer.util.infoDisplay('\\n'.join(f'{i.volume.GetName()}: {i.error or \"done\"}' for i in items) or 'No volume is loaded.')\n";
}

//-----------------------------------------------------------------------------
qSlicerSkullEffectsModuleWidget::qSlicerSkullEffectsModuleWidget(QWidget* parent)
  : Superclass(parent)
{
}

//-----------------------------------------------------------------------------
qSlicerSkullEffectsModuleWidget::~qSlicerSkullEffectsModuleWidget() = default;

//-----------------------------------------------------------------------------
void qSlicerSkullEffectsModuleWidget::setup()
{
  this->Superclass::setup();
  auto* layout = new QVBoxLayout(this);
  auto* text = new QLabel(tr("The effects of this extension are in the module <b>Segment Editor</b>.<ul>"
                             "<li><b>Skin Surface</b>: the solid head from any MR or CT.</li>"
                             "<li><b>Masked Threshold</b>: a threshold inside another segment.</li>"
                             "<li><b>Thin Bone</b>: bone of a CT that is thinner than a voxel.</li></ul>"
                             "Not for clinical decisions."));
  text->setWordWrap(true);
  layout->addWidget(text);

  const struct
  {
    QString Text;
    QString ToolTip;
    QString Code;
  } actions[] = {
    { tr("Open Skin Surface"), tr("Open the Segment Editor on this effect."), OpenEffect("Skin Surface") },
    { tr("Open Masked Threshold"), tr("Open the Segment Editor on this effect."), OpenEffect("Masked Threshold") },
    { tr("Open Thin Bone"), tr("Open the Segment Editor on this effect."), OpenEffect("Thin Bone") },
    { tr("Load a sample scan"), tr("Download an MR of a head with the module Sample Data."), "import SampleData\nSampleData.downloadSample('MRHead')\n" },
    { tr("Skin of all loaded volumes"), tr("Make a segmentation with the solid head for each volume."), SKIN_OF_ALL },
  };
  for (const auto& action : actions)
  {
    auto* button = new QPushButton(action.Text);
    button->setToolTip(action.ToolTip);
    const QString code = action.Code;
    QObject::connect(button, &QPushButton::clicked, this, [code] { Execute(code); });
    layout->addWidget(button);
  }
  layout->addStretch();
}
