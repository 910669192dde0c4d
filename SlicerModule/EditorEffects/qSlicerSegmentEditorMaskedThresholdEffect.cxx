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
#include <vtkStringArray.h>

// Qt includes
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFrame>
#include <QIcon>
#include <QMessageBox>
#include <QPointer>
#include <QPushButton>

// STD includes
#include <algorithm>
#include <cmath>

namespace
{
/// As fine as the widget can show.
constexpr int BINS = 256;

/// Steps of a bound in the volume's range.
constexpr double STEPS = 1000.;

//-----------------------------------------------------------------------------
/// A number with all of its digits.
QString Exactly(double value)
{
  return QString::number(value, 'g', 17);
}
}

//-----------------------------------------------------------------------------
class qSlicerSegmentEditorMaskedThresholdEffectPrivate
{
public:
  QComboBox* Preset{ nullptr };
  SkullEffectsHistogram* Histogram{ nullptr };
  /// What the last apply() has written, which is seen rather than its preview.
  QString Applied;
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
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  vtkNew<vtkSkullEffectsThreshold> defaults;
  d->Preset = new QComboBox();
  d->Preset->setObjectName("SkullEffectsPreset");
  d->Preset->addItem(tr("None"), "NONE");
  d->Preset->addItem(tr("Skull candidate in MR"), "MR_SKULL");
  d->Preset->setToolTip(tr("Set all options at once. Skull candidate in MR: what is dark between 2 and 30 mm below the skin; air and fluid come with the bone. "
                           "Choose the segment of the skin below."));
  this->addLabeledOptionsWidget(tr("Preset:"), d->Preset);
  QObject::connect(d->Preset, SIGNAL(activated(int)), this, SLOT(onPresetChosen(int)));
  this->beginRow(tr("Inside of:"));
  this->addSegment("MaskSegmentID", QString(), tr("Only voxels of this segment are selected and counted. It is never overwritten."));
  this->addCheckBox("InvertMask", tr("outside"), tr("Select outside of that segment instead."), defaults->GetInvertMask());
  this->endRow();
  d->Histogram = new SkullEffectsHistogram();
  d->Histogram->setToolTip(tr("How often each intensity occurs among the mask's voxels, on a logarithmic scale. Drag the range's ends."));
  this->addOptionsWidget(d->Histogram);
  QObject::connect(d->Histogram, SIGNAL(selectionDragged(double, double)), this, SLOT(onSelectionDragged(double, double)));
  this->beginRow(tr("Range:"));
  this->addIntensity("MinimumThreshold", QString(), tr("Lowest intensity that is selected."), 0.);
  this->addIntensity("MaximumThreshold", tr("to"), tr("Highest intensity that is selected."), 0.);
  this->endRow();
  QStringList methods{ "NONE" };
  QStringList texts{ tr("Choose a method") };
  for (int i = 0; i < vtkSkullEffectsThreshold::GetNumberOfMethods(); ++i)
  {
    methods << QString::fromStdString(vtkSkullEffectsThreshold::GetMethodName(i));
    texts << methods.last();
  }
  this->beginRow(tr("Automatic:"));
  this->addChoice("Method", QString(), tr("How to part the mask's voxels in two."), methods, texts);
  this->addChoice("Side", QString(), tr("Which side of the automatic bound is selected."), { "HIGH", "LOW" }, { tr("Brighter"), tr("Darker") });
  auto* find = new QPushButton(tr("Find"));
  find->setToolTip(tr("Set the range to what the method finds among the mask's voxels."));
  this->addToRow(find);
  this->endRow();
  QObject::connect(find, SIGNAL(clicked()), this, SLOT(onFindClicked()));
  this->beginRow(tr("Depth:"));
  this->addLength("MinimumDepthMm", QString(), tr("Select only deeper than this below the mask's surface."), 1000., defaults->GetMinDepthMm(), tr("Surface"));
  this->addLength("MaximumDepthMm", tr("to"), tr("Select only down to this depth; 0 is no limit."), 1000., 0., tr("No limit"));
  this->endRow();
  this->addLength("BiasSigmaMm", tr("Even out over:"), tr("Even out brightness on this scale first (MR); 0 does not."), 1000., defaults->GetBiasSigmaMm(), tr("Off"));
  this->addVolume("MinimumIslandMl", tr("Remove islands below:"), tr("Remove connected parts smaller than this; 0 keeps all."), defaults->GetMinIslandMl(), tr("Keep all"));
  this->addVolume("MaximumHoleMl", tr("Fill holes below:"), tr("Fill enclosed cavities smaller than this; 0 fills none."), defaults->GetMaxHoleMl(), tr("Fill none"));
  this->addApply(false);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::setMRMLDefaults()
{
  Superclass::setMRMLDefaults();
  this->setParameterDefault("Preset", "NONE");
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::updateGUIFromMRML()
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  Superclass::updateGUIFromMRML();
  if (d->Preset && this->active())
  {
    d->Preset->setCurrentIndex(std::max(0, d->Preset->findData(this->parameter("Preset"))));
  }
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorMaskedThresholdEffect::usePreset(const QString& preset)
{
  if (!this->parameterSetNode() || (preset != "NONE" && preset != "MR_SKULL"))
  {
    this->setLastError(tr("There is no preset %1: choose NONE or MR_SKULL.").arg(preset));
    return false;
  }
  vtkNew<vtkSkullEffectsThreshold> threshold;
  if (preset == "MR_SKULL")
  {
    threshold->SetToMRSkull();
  }
  const bool low = !threshold->GetUpperMethod().empty();
  const std::string method = low ? threshold->GetUpperMethod() : threshold->GetLowerMethod();
  const int wasModified = this->parameterSetNode()->StartModify();
  this->setParameter("Preset", preset);
  this->setParameter("InvertMask", int(threshold->GetInvertMask()));
  this->setParameter("Method", method.empty() ? QString("NONE") : QString::fromStdString(method));
  this->setParameter("Side", low ? "LOW" : "HIGH");
  this->setParameter("MinimumDepthMm", threshold->GetMinDepthMm());
  this->setParameter("MaximumDepthMm", vtkMath::IsInf(threshold->GetMaxDepthMm()) ? 0. : threshold->GetMaxDepthMm());
  this->setParameter("BiasSigmaMm", threshold->GetBiasSigmaMm());
  this->setParameter("MinimumIslandMl", threshold->GetMinIslandMl());
  this->setParameter("MaximumHoleMl", threshold->GetMaxHoleMl());
  this->parameterSetNode()->EndModify(wasModified);
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::onPresetChosen(int index)
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  // Without a mask there is nothing to find the range in yet.
  if (this->usePreset(d->Preset->itemData(index).toString()) && this->parameter("Method") != "NONE" && !this->text("MaskSegmentID").isEmpty())
  {
    this->onFindClicked();
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::activate()
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  d->Applied.clear();
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
  double range[2];
  volume->GetImageData()->GetScalarRange(range);
  // Fractions of intensities as small as the range needs.
  const double span = std::max(range[1] - range[0], 1e-6);
  for (const char* name : { "MinimumThreshold", "MaximumThreshold" })
  {
    if (auto* box = qobject_cast<QDoubleSpinBox*>(this->optionWidget(name)))
    {
      const QSignalBlocker blocker(box);
      box->setDecimals(static_cast<int>(std::clamp(std::ceil(std::log10(STEPS / span)) + 1., 1., 9.)));
      box->setSingleStep(span / STEPS);
    }
  }
  this->updateGUIFromMRML();
  // As Slicer's own Threshold starts: the upper half of what there is, unless the range already fits the volume.
  const double lower = this->number("MinimumThreshold", 0.);
  const double upper = this->number("MaximumThreshold", 0.);
  if (lower >= upper || lower > range[1] || upper < range[0])
  {
    this->setParameter("MinimumThreshold", Exactly((range[0] + range[1]) / 2.));
    this->setParameter("MaximumThreshold", Exactly(range[1]));
  }
}

//-----------------------------------------------------------------------------
vtkSmartPointer<vtkSkullEffectsOperation> qSlicerSegmentEditorMaskedThresholdEffect::createOperation()
{
  auto threshold = vtkSmartPointer<vtkSkullEffectsThreshold>::New();
  if (this->parameter("Preset") == "MR_SKULL")
  {
    threshold->SetToMRSkull();
    threshold->SetLowerMethod("");
    threshold->SetUpperMethod("");
  }
  for (const std::string& segmentID : this->segmentIDs("MaskSegmentID"))
  {
    threshold->AddMaskSegmentID(segmentID);
  }
  threshold->SetInvertMask(this->integerParameter("InvertMask") != 0);
  // The ends of the volume's range are no bounds: brightness that is evened out goes beyond them.
  double range[2] = { vtkMath::NegInf(), vtkMath::Inf() };
  vtkMRMLScalarVolumeNode* volume = this->parameterSetNode() ? this->parameterSetNode()->GetSourceVolumeNode() : nullptr;
  if (volume && volume->GetImageData())
  {
    volume->GetImageData()->GetScalarRange(range);
  }
  const double lower = this->number("MinimumThreshold", vtkMath::NegInf());
  const double upper = this->number("MaximumThreshold", vtkMath::Inf());
  threshold->SetLower(lower <= range[0] ? vtkMath::NegInf() : lower);
  threshold->SetUpper(upper >= range[1] ? vtkMath::Inf() : upper);
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
    this->setLastError(volume ? tr("Choose a method for the automatic bound first.") : tr("No volume is selected: choose the source volume."));
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
  const int wasModified = this->parameterSetNode()->StartModify();
  this->setParameter("MinimumThreshold", Exactly(low ? range[0] : threshold->GetFoundLower()));
  this->setParameter("MaximumThreshold", Exactly(low ? threshold->GetFoundUpper() : range[1]));
  this->parameterSetNode()->EndModify(wasModified);
  this->tell(tr("From %1 to %2").arg(this->parameter("MinimumThreshold"), this->parameter("MaximumThreshold")), threshold);
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
  this->setParameter("MinimumThreshold", Exactly(lower));
  this->setParameter("MaximumThreshold", Exactly(upper));
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
  const bool somewhere = selection.Mask || this->segmentIDs("MaskSegmentID").empty();
  return selection.Volume && somewhere && this->state() != d->Applied;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorMaskedThresholdEffect::write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask)
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  const bool written = Superclass::write(operation, mask);
  d->Applied = this->state();
  return written;
}

//-----------------------------------------------------------------------------
QString qSlicerSegmentEditorMaskedThresholdEffect::state()
{
  QString state = Superclass::state();
  for (const std::string& segmentID : this->segmentIDs("MaskSegmentID"))
  {
    state += "|" + QString::fromStdString(segmentID);
  }
  return state;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorMaskedThresholdEffect::updateMask()
{
  Q_D(qSlicerSegmentEditorMaskedThresholdEffect);
  vtkMRMLSegmentationNode* segmentation = this->parameterSetNode()->GetSegmentationNode();
  const std::vector<std::string> maskIDs = this->segmentIDs("MaskSegmentID");
  QString state;
  vtkNew<vtkStringArray> all;
  for (const std::string& maskID : maskIDs)
  {
    all->InsertNextValue(maskID);
    vtkSegment* segment = segmentation->GetSegmentation()->GetSegment(maskID);
    vtkDataObject* labelmap = segment ? segment->GetRepresentation(vtkSegmentationConverter::GetBinaryLabelmapRepresentationName()) : nullptr;
    state += QString("%1 %2 %3;").arg(QString::fromStdString(maskID)).arg(quintptr(labelmap)).arg(labelmap ? labelmap->GetMTime() : 0);
  }
  if (state == d->MaskState)
  {
    return;
  }
  d->MaskState = state;
  d->Mask = nullptr;
  const auto mask = vtkSmartPointer<vtkOrientedImageData>::New();
  const bool one = maskIDs.size() == 1;
  if (!maskIDs.empty()
      && (one ? segmentation->GetBinaryLabelmapRepresentation(maskIDs.front(), mask)
              : segmentation->GenerateMergedLabelmapForAllSegments(mask, vtkSegmentation::EXTENT_UNION_OF_SEGMENTS, nullptr, all)))
  {
    d->Mask = mask;
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
  if (logic->ComputeHistogram(volume, editor->GetSegmentationNode(), this->segmentIDs("MaskSegmentID"), invert, counts, range))
  {
    d->Histogram->setCounts(QVector<double>(counts->GetPointer(0), counts->GetPointer(0) + BINS), range[0], range[1]);
  }
  else
  {
    d->Histogram->setCounts({}, 0., 1., QString::fromStdString(logic->GetErrorMessage()));
  }
}
