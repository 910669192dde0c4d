#include "qSlicerSkullEffectsModule.h"
#include "qSlicerSkullEffectsModuleWidget.h"

// SkullEffects includes
#include "qSlicerSegmentEditorMaskedThresholdEffect.h"
#include "qSlicerSegmentEditorSkinSurfaceEffect.h"
#include "qSlicerSegmentEditorThinBoneEffect.h"
#include "vtkSlicerSkullEffectsLogic.h"

// Segmentations includes
#include <qSlicerSegmentEditorEffectFactory.h>

// Qt includes
#include <QIcon>

//-----------------------------------------------------------------------------
qSlicerSkullEffectsModule::qSlicerSkullEffectsModule(QObject* parent)
  : Superclass(parent)
{
}

//-----------------------------------------------------------------------------
qSlicerSkullEffectsModule::~qSlicerSkullEffectsModule() = default;

//-----------------------------------------------------------------------------
QString qSlicerSkullEffectsModule::helpText() const
{
  return tr("Segment Editor effects for the head: Skin Surface finds the solid head in any MR or CT, Masked Threshold selects "
            "intensities inside another segment, Thin Bone puts back bone thinner than a voxel. In Python: import SkullEffects; help(SkullEffects).");
}

//-----------------------------------------------------------------------------
QString qSlicerSkullEffectsModule::acknowledgementText() const
{
  return tr("Not for clinical decisions.");
}

//-----------------------------------------------------------------------------
QStringList qSlicerSkullEffectsModule::contributors() const
{
  return { "SkullEffects contributors" };
}

//-----------------------------------------------------------------------------
QIcon qSlicerSkullEffectsModule::icon() const
{
  return QIcon(":/SkullEffects/Icons/SkullEffects.svg");
}

//-----------------------------------------------------------------------------
QStringList qSlicerSkullEffectsModule::categories() const
{
  return { "Segmentation" };
}

//-----------------------------------------------------------------------------
QStringList qSlicerSkullEffectsModule::dependencies() const
{
  // The factory of the effects, and the effects that ours derive from.
  return { "Segmentations" };
}

//-----------------------------------------------------------------------------
void qSlicerSkullEffectsModule::setup()
{
  this->Superclass::setup();
  qSlicerSegmentEditorEffectFactory* factory = qSlicerSegmentEditorEffectFactory::instance();
  factory->registerEffect(new qSlicerSegmentEditorSkinSurfaceEffect());
  factory->registerEffect(new qSlicerSegmentEditorMaskedThresholdEffect());
  factory->registerEffect(new qSlicerSegmentEditorThinBoneEffect());
}

//-----------------------------------------------------------------------------
qSlicerAbstractModuleRepresentation* qSlicerSkullEffectsModule::createWidgetRepresentation()
{
  return new qSlicerSkullEffectsModuleWidget;
}

//-----------------------------------------------------------------------------
vtkMRMLAbstractLogic* qSlicerSkullEffectsModule::createLogic()
{
  return vtkSlicerSkullEffectsLogic::New();
}
