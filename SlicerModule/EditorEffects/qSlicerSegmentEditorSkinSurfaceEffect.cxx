#include "qSlicerSegmentEditorSkinSurfaceEffect.h"

// SkullEffects includes
#include "vtkSkullEffectsSkin.h"

// VTK includes
#include <vtkNew.h>

// Qt includes
#include <QIcon>
#include <QWidget>

//-----------------------------------------------------------------------------
qSlicerSegmentEditorSkinSurfaceEffect::qSlicerSegmentEditorSkinSurfaceEffect(QObject* parent)
  : Superclass(parent)
{
  this->m_Name = "Skin Surface"; // no tr: this is how scripts find it
  this->m_Title = tr("Skin Surface");
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorSkinSurfaceEffect::~qSlicerSegmentEditorSkinSurfaceEffect() = default;

//-----------------------------------------------------------------------------
QIcon qSlicerSegmentEditorSkinSurfaceEffect::icon()
{
  return QIcon(":/SkullEffects/Icons/SkinSurface.svg");
}

//-----------------------------------------------------------------------------
const QString qSlicerSegmentEditorSkinSurfaceEffect::helpText() const
{
  return QString("<html>") + tr("Fill the segment with the solid head") + ".<br>"
         + tr("Works on any MR or CT with skin in it: table, tubes and noise are cut off, nostrils and ear canals sealed, "
              "and everything inside is filled. The defaults need no change.")
         + "<ul style=\"margin: 0\"><li>" + tr("Just click Apply, or Preview to see it first.") + "</li><li>"
         + tr("Where the nose or the ears leak, seal larger openings.") + "</li></ul></html>";
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorAbstractEffect* qSlicerSegmentEditorSkinSurfaceEffect::clone()
{
  return new qSlicerSegmentEditorSkinSurfaceEffect();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkinSurfaceEffect::setupOptionsFrame()
{
  Superclass::setupOptionsFrame();
  vtkNew<vtkSkullEffectsSkin> defaults;
  this->addLength("OpeningMm",
                  tr("Seal openings up to:"),
                  tr("Nostrils, ear canals and mouth up to this diameter are sealed, so that what lies behind is filled."),
                  100.,
                  defaults->GetOpeningMm());
  this->addCheckBox("KeepAirways",
                    tr("Keep airways open:"),
                    tr("Leave the air spaces that reach the outside (nose, throat, ear canals) out of the head."),
                    defaults->GetKeepAirways());
  this->addChoice("Modality",
                  tr("Image:"),
                  tr("What kind of image it is. It is found from the intensities; choose only if that fails."),
                  { "AUTO", "CT", "MR" },
                  { tr("Automatic"), tr("CT"), tr("MR") });
  this->addCheckBox("AutomaticThreshold", tr("Automatic threshold:"), tr("Find the lowest intensity of tissue from the image."), true);
  this->addIntensity("Threshold", tr("Tissue from:"), tr("Lowest intensity of tissue (CT: HU), used where it is not found automatically."), -300.);
  this->addApply(true);
}

//-----------------------------------------------------------------------------
vtkSmartPointer<vtkSkullEffectsOperation> qSlicerSegmentEditorSkinSurfaceEffect::createOperation()
{
  auto skin = vtkSmartPointer<vtkSkullEffectsSkin>::New();
  const QString modality = this->parameter("Modality");
  skin->SetModality(modality == "CT" ? vtkSkullEffectsSkin::ModalityCT
                                     : (modality == "MR" ? vtkSkullEffectsSkin::ModalityMR : vtkSkullEffectsSkin::ModalityAuto));
  if (this->parameter("AutomaticThreshold") == "0")
  {
    skin->SetThreshold(this->number("Threshold", skin->GetThreshold()));
  }
  skin->SetOpeningMm(this->number("OpeningMm", skin->GetOpeningMm()));
  skin->SetKeepAirways(this->integerParameter("KeepAirways") != 0);
  return skin;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkinSurfaceEffect::updateGUIFromMRML()
{
  Superclass::updateGUIFromMRML();
  if (QWidget* threshold = this->optionWidget("Threshold"))
  {
    threshold->setEnabled(this->parameter("AutomaticThreshold") == "0");
  }
}

//-----------------------------------------------------------------------------
QString qSlicerSegmentEditorSkinSurfaceEffect::summary(vtkSkullEffectsOperation* operation)
{
  auto* skin = vtkSkullEffectsSkin::SafeDownCast(operation);
  const QString found = skin->GetFoundModality() == vtkSkullEffectsSkin::ModalityCT ? tr("CT, tissue from %1 HU") : tr("MR, tissue from %1");
  return tr("%1 (%2)").arg(Superclass::summary(operation), found.arg(skin->GetFoundThreshold(), 0, 'g', 4));
}
