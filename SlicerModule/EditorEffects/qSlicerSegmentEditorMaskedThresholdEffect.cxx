#include "qSlicerSegmentEditorMaskedThresholdEffect.h"
#include "SkullEffectsHistogram.h"

// SkullEffects includes
#include "vtkSkullEffectsThreshold.h"
#include "vtkSlicerSkullEffectsLogic.h"

// Segmentations includes
#include <vtkMRMLSegmentEditorNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkOrientedImageData.h>
#include <vtkSegment.h>
#include <vtkSegmentation.h>
#include <vtkSegmentationConverter.h>

// Slicer includes
#include <vtkMRMLScalarVolumeNode.h>

// VTK includes
#include <vtkDoubleArray.h>
#include <vtkImageData.h>
#include <vtkMath.h>
#include <vtkNew.h>

// Qt includes
#include <QFrame>
#include <QIcon>
#include <QMessageBox>
#include <QPointer>
#include <QPushButton>

namespace
{
/// As fine as the widget can show.
constexpr int BINS = 256;
}

//-----------------------------------------------------------------------------
class qSlicerSegmentEditorMaskedThresholdEffectPrivate
{
public:
  SkullEffectsHistogram* Histogram{ nullptr };
  /// Of what the histogram is.
  QString Counted;
  /// The voxels of the mask's segment, in the segmentation's space, and which they are; null is everywhere.
  vtkSmartPointer<vtkOrientedImageData> Mask;
  QString MaskState;
};

//-----------------------------------------------------------------------------
qSlicerSegmentEditorMaskedThresholdEffect::qSlicerSegmentEditorMaskedThresholdEffect(QObject* parent)
  : Superclass(parent)
  , d_ptr(new qSlicerSegmentEditorMaskedThresholdEffectPrivate)
{
  this->m_Name = "Masked Threshold"; // no tr: this is how scripts find it
  this->m_Title = tr("Masked Threshold");
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
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  d->Histogram = new SkullEffectsHistogram();
  d->Histogram->setToolTip(tr("How often each intensity occurs among the mask's voxels, on a logarithmic scale. Drag the range's ends."));
  this->addOptionsWidget(d->Histogram);
  QObject::connect(d->Histogram, SIGNAL(selectionDragged(double, double)), this, SLOT(onSelectionDragged(double, double)));
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
  this->addApply(false);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::activate()
{
  Superclass::activate();
  this->sourceVolumeNodeChanged();
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
void qSlicerSegmentEditorMaskedThresholdEffect::onSelectionDragged(double lower, double upper)
{
  const int wasModified = this->parameterSetNode()->StartModify();
  this->setParameter("MinimumThreshold", lower);
  this->setParameter("MaximumThreshold", upper);
  this->parameterSetNode()->EndModify(wasModified);
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorMaskedThresholdEffect::previewSelection(SkullEffectsSlicePreview::Selection& selection)
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  this->updateMask();
  this->updateHistogram();
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  selection.Segmentation = editor->GetSegmentationNode();
  selection.Volume = editor->GetSourceVolumeNode();
  selection.HiddenSegmentID = editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "";
  selection.Mask = d->Mask;
  selection.InvertMask = this->integerParameter("InvertMask") != 0;
  selection.Lower = this->number("MinimumThreshold", 0.);
  selection.Upper = this->number("MaximumThreshold", 0.);
  this->resultColor(this->createOperation(), selection.Color);
  if (d->Histogram)
  {
    d->Histogram->setSelection(selection.Lower, selection.Upper, QColor::fromRgbF(selection.Color[0], selection.Color[1], selection.Color[2]));
  }
  return selection.Volume != nullptr;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::updateMask()
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  vtkMRMLSegmentationNode* segmentation = this->parameterSetNode()->GetSegmentationNode();
  const std::string maskID = this->parameter("MaskSegmentID").toStdString();
  vtkSegment* segment = segmentation->GetSegmentation()->GetSegment(maskID);
  vtkDataObject* labelmap = segment ? segment->GetRepresentation(vtkSegmentationConverter::GetBinaryLabelmapRepresentationName()) : nullptr;
  const QString state = QString("%1 %2 %3").arg(QString::fromStdString(maskID)).arg(quintptr(labelmap)).arg(labelmap ? labelmap->GetMTime() : 0);
  if (state == d->MaskState)
  {
    return;
  }
  d->MaskState = state;
  d->Mask = nullptr;
  if (labelmap)
  {
    const auto mask = vtkSmartPointer<vtkOrientedImageData>::New();
    if (segmentation->GetBinaryLabelmapRepresentation(maskID, mask))
    {
      d->Mask = mask;
    }
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::updateHistogram()
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLScalarVolumeNode* volume = editor->GetSourceVolumeNode();
  vtkSlicerSkullEffectsLogic* logic = this->logic();
  if (!d->Histogram || !logic || logic->GetRunning() || !volume || !volume->GetImageData())
  {
    return;
  }
  const bool invert = this->integerParameter("InvertMask") != 0;
  const QString counted = QString("%1 %2 %3 %4").arg(d->MaskState).arg(invert).arg(volume->GetID()).arg(volume->GetImageData()->GetMTime());
  if (counted == d->Counted)
  {
    return;
  }
  d->Counted = counted;
  vtkNew<vtkDoubleArray> counts;
  counts->SetNumberOfValues(BINS);
  double range[2];
  if (logic->ComputeHistogram(volume, editor->GetSegmentationNode(), d->Mask ? this->parameter("MaskSegmentID").toStdString() : "", invert, counts, range))
  {
    d->Histogram->setCounts(QVector<double>(counts->GetPointer(0), counts->GetPointer(0) + BINS), range[0], range[1]);
  }
  else
  {
    d->Histogram->setCounts({}, 0., 1., QString::fromStdString(logic->GetErrorMessage()));
  }
}
