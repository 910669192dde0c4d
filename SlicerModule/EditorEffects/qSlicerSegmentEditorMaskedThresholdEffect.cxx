#include "qSlicerSegmentEditorMaskedThresholdEffect.h"
#include "SkullEffectsSlicePreview.h"

// SkullEffects includes
#include "vtkSkullEffectsThreshold.h"

// Segmentations includes
#include <vtkMRMLSegmentEditorNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkOrientedImageData.h>

// Slicer includes
#include <vtkMRMLScalarVolumeNode.h>

// VTK includes
#include <vtkImageData.h>
#include <vtkMath.h>
#include <vtkNew.h>

// Qt includes
#include <QFrame>
#include <QIcon>
#include <QMessageBox>
#include <QPointer>
#include <QPushButton>
#include <QTimer>

namespace
{
/// The preview pulses as that of Slicer's own Threshold does.
constexpr int PULSE_MS = 200;
constexpr int PULSE_STEPS = 5;
}

//-----------------------------------------------------------------------------
class qSlicerSegmentEditorMaskedThresholdEffectPrivate
{
public:
  explicit qSlicerSegmentEditorMaskedThresholdEffectPrivate(qSlicerSegmentEditorAbstractEffect* effect)
    : Preview(effect)
  {
  }

  SkullEffectsSlicePreview Preview;
  QTimer Pulse;
  int Step{ 0 };
  int Direction{ 1 };
};

//-----------------------------------------------------------------------------
qSlicerSegmentEditorMaskedThresholdEffect::qSlicerSegmentEditorMaskedThresholdEffect(QObject* parent)
  : Superclass(parent)
  , d_ptr(new qSlicerSegmentEditorMaskedThresholdEffectPrivate(this))
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  this->m_Name = "Masked Threshold"; // no tr: this is how scripts find it
  this->m_Title = tr("Masked Threshold");
  d->Pulse.setInterval(PULSE_MS);
  QObject::connect(&d->Pulse, SIGNAL(timeout()), this, SLOT(onPreviewTimer()));
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorMaskedThresholdEffect::~qSlicerSegmentEditorMaskedThresholdEffect() = default;

//-----------------------------------------------------------------------------
QIcon qSlicerSegmentEditorMaskedThresholdEffect::icon()
{
  return QIcon(":/SkullEffects/Icons/MaskedThreshold.svg");
}

//-----------------------------------------------------------------------------
const QString qSlicerSegmentEditorMaskedThresholdEffect::helpText() const
{
  return QString("<html>") + tr("Fill the segment with what lies between two intensities, inside another segment") + ".<br>"
         + "<ul style=\"margin: 0\"><li>" + tr("Choose the segment to look in, for example Skin.") + "</li><li>"
         + tr("Set the range, or choose a method and click Find: only the mask's voxels count.") + "</li><li>"
         + tr("The pulsing preview shows what will be selected by intensity; depth, islands and holes apply at the end.") + "</li></ul></html>";
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorAbstractEffect* qSlicerSegmentEditorMaskedThresholdEffect::clone()
{
  return new qSlicerSegmentEditorMaskedThresholdEffect();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::setupOptionsFrame()
{
  Superclass::setupOptionsFrame();
  vtkNew<vtkSkullEffectsThreshold> defaults;
  this->addSegment("MaskSegmentID", tr("Inside of:"), tr("Only voxels of this segment are selected and counted. It is never overwritten."));
  this->addCheckBox("InvertMask", tr("Outside instead:"), tr("Select outside of that segment."), defaults->GetInvertMask());
  this->addIntensity("MinimumThreshold", tr("From:"), tr("Lowest intensity that is selected."), 0.);
  this->addIntensity("MaximumThreshold", tr("To:"), tr("Highest intensity that is selected."), 0.);
  QStringList methods{ "NONE" };
  QStringList texts{ tr("Choose a method") };
  for (int i = 0; i < vtkSkullEffectsThreshold::GetNumberOfMethods(); ++i)
  {
    methods << QString::fromStdString(vtkSkullEffectsThreshold::GetMethodName(i));
    texts << methods.last();
  }
  this->addChoice("Method", tr("Automatic bound:"), tr("How to part the mask's voxels in two."), methods, texts);
  this->addChoice("Side", tr("Select what is:"), tr("Which side of the automatic bound is selected."), { "HIGH", "LOW" }, { tr("Brighter"), tr("Darker") });
  auto* find = new QPushButton(tr("Find"));
  find->setToolTip(tr("Set the range to what the method finds among the mask's voxels."));
  this->addOptionsWidget(find);
  QObject::connect(find, SIGNAL(clicked()), this, SLOT(onFindClicked()));
  this->addLength("MinimumDepthMm", tr("Deeper than:"), tr("Select only deeper than this below the mask's surface."), 1000., defaults->GetMinDepthMm());
  this->addLength("MaximumDepthMm", tr("Down to:"), tr("Select only down to this depth; 0 is no limit."), 1000., 0.);
  this->addLength("BiasSigmaMm", tr("Even out brightness over:"), tr("Even out brightness on this scale first (MR); 0 does not."), 1000., defaults->GetBiasSigmaMm());
  this->addVolume("MinimumIslandMl", tr("Remove islands below:"), tr("Remove connected parts smaller than this; 0 keeps all."), defaults->GetMinIslandMl());
  this->addVolume("MaximumHoleMl", tr("Fill holes below:"), tr("Fill enclosed cavities smaller than this; 0 fills none."), defaults->GetMaxHoleMl());
  this->addApply();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::activate()
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  Superclass::activate();
  this->sourceVolumeNodeChanged();
  this->updateGUIFromMRML();
  d->Pulse.start();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::deactivate()
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  Superclass::deactivate();
  d->Pulse.stop();
  d->Preview.Clear();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::sourceVolumeNodeChanged()
{
  Superclass::sourceVolumeNodeChanged();
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLScalarVolumeNode* volume = editor ? editor->GetSourceVolumeNode() : nullptr;
  if (!this->active() || !volume || !volume->GetImageData())
  {
    return;
  }
  // As Slicer's own Threshold starts: the upper half of what there is, unless the range already fits the volume.
  double range[2];
  volume->GetImageData()->GetScalarRange(range);
  const double lower = this->number("MinimumThreshold", 0.);
  const double upper = this->number("MaximumThreshold", 0.);
  if (lower >= upper || lower > range[1] || upper < range[0])
  {
    this->setParameter("MinimumThreshold", (range[0] + range[1]) / 2.);
    this->setParameter("MaximumThreshold", range[1]);
  }
}

//-----------------------------------------------------------------------------
vtkSmartPointer<vtkSkullEffectsOperation> qSlicerSegmentEditorMaskedThresholdEffect::createOperation()
{
  auto threshold = vtkSmartPointer<vtkSkullEffectsThreshold>::New();
  threshold->SetMaskSegmentID(this->parameter("MaskSegmentID").toStdString());
  threshold->SetInvertMask(this->integerParameter("InvertMask") != 0);
  threshold->SetLower(this->number("MinimumThreshold", threshold->GetLower()));
  threshold->SetUpper(this->number("MaximumThreshold", threshold->GetUpper()));
  threshold->SetMinDepthMm(this->number("MinimumDepthMm", threshold->GetMinDepthMm()));
  const double depth = this->number("MaximumDepthMm", 0.);
  threshold->SetMaxDepthMm(depth > 0. ? depth : vtkMath::Inf());
  threshold->SetBiasSigmaMm(this->number("BiasSigmaMm", threshold->GetBiasSigmaMm()));
  threshold->SetMinIslandMl(this->number("MinimumIslandMl", threshold->GetMinIslandMl()));
  threshold->SetMaxHoleMl(this->number("MaximumHoleMl", threshold->GetMaxHoleMl()));
  return threshold;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorMaskedThresholdEffect::findBounds()
{
  const QString method = this->parameter("Method");
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLScalarVolumeNode* volume = editor ? editor->GetSourceVolumeNode() : nullptr;
  if (method.isEmpty() || method == "NONE" || !volume || !volume->GetImageData())
  {
    return false;
  }
  const vtkSmartPointer<vtkSkullEffectsOperation> operation = this->createOperation();
  auto* threshold = vtkSkullEffectsThreshold::SafeDownCast(operation);
  const bool low = this->parameter("Side") == "LOW";
  threshold->SetLower(vtkMath::NegInf());
  threshold->SetUpper(vtkMath::Inf());
  threshold->SetLowerMethod(low ? "" : method.toStdString());
  threshold->SetUpperMethod(low ? method.toStdString() : "");
  vtkNew<vtkOrientedImageData> mask;
  const QPointer<qSlicerSegmentEditorMaskedThresholdEffect> self(this);
  const bool found = this->compute(threshold, mask);
  if (!self || !found)
  {
    return false;
  }
  double range[2];
  volume->GetImageData()->GetScalarRange(range);
  this->setParameter("MinimumThreshold", low ? range[0] : threshold->GetFoundLower());
  this->setParameter("MaximumThreshold", low ? threshold->GetFoundUpper() : range[1]);
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::onFindClicked()
{
  const QPointer<qSlicerSegmentEditorMaskedThresholdEffect> self(this);
  if (!this->findBounds() && self && !this->lastError().isEmpty())
  {
    QMessageBox::warning(this->optionsFrame(), this->title(), this->lastError());
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::onPreviewTimer()
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  if (!this->active() || !editor)
  {
    d->Preview.Clear();
    return;
  }
  SkullEffectsSlicePreview::Selection selection;
  selection.Volume = editor->GetSourceVolumeNode();
  selection.Segmentation = editor->GetSegmentationNode();
  selection.SegmentID = editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "";
  selection.MaskSegmentID = this->parameter("MaskSegmentID").toStdString();
  selection.InvertMask = this->integerParameter("InvertMask") != 0;
  selection.Lower = this->number("MinimumThreshold", 0.);
  selection.Upper = this->number("MaximumThreshold", 0.);
  d->Preview.Show(selection, 0.5 + d->Step / (2. * PULSE_STEPS));
  d->Step += d->Direction;
  if (d->Step >= PULSE_STEPS || d->Step <= 0)
  {
    d->Direction = -d->Direction;
  }
}
