#include "qSlicerSegmentEditorSkullEffectsEffect.h"

// SkullEffects includes
#include "vtkSkullEffectsOperation.h"
#include "vtkSlicerSkullEffectsLogic.h"

// Segmentations includes
#include <vtkMRMLSegmentEditorNode.h>
#include <vtkMRMLSegmentationDisplayNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkOrientedImageData.h>
#include <vtkSegment.h>
#include <vtkSegmentation.h>
#include <vtkSlicerSegmentationsModuleLogic.h>

// Slicer includes
#include <qMRMLSpinBox.h>
#include <qSlicerApplication.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLTransformNode.h>

// VTK includes
#include <vtkCommand.h>
#include <vtkImageData.h>
#include <vtkMatrix4x4.h>
#include <vtkNew.h>

// Qt includes
#include <QCheckBox>
#include <QComboBox>
#include <QCoreApplication>
#include <QDoubleSpinBox>
#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QMessageBox>
#include <QPointer>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalBlocker>
#include <QTimer>

// STD includes
#include <algorithm>
#include <functional>
#include <map>
#include <vector>

//-----------------------------------------------------------------------------
class qSlicerSegmentEditorSkullEffectsEffectPrivate
{
public:
  /// A parameter and its widget.
  struct Option
  {
    QString Name;
    QString Default;
    QWidget* Widget;
    std::function<void(const QString&)> Show;
    std::function<QString()> Value;
    /// The widget's value when it was shown last: unless the user changes that, a number keeps the digits that a box rounds.
    QString Shown{};
  };

  explicit qSlicerSegmentEditorSkullEffectsEffectPrivate(qSlicerSegmentEditorAbstractEffect* effect)
    : Preview(effect)
  {
  }

  std::vector<Option> Options;
  /// The row that is being filled, if one is.
  QHBoxLayout* Row{ nullptr };
  QString RowLabel;
  QPushButton* ApplyButton{ nullptr };
  QPushButton* PreviewButton{ nullptr };
  QProgressBar* Progress{ nullptr };
  QLabel* Message{ nullptr };
  QString LastError;
  QStringList LastWarnings;
  unsigned long ProgressTag{ 0 };

  /// What was computed last, and of what.
  vtkSmartPointer<vtkSkullEffectsOperation> Operation;
  vtkSmartPointer<vtkOrientedImageData> Mask;
  QString State;
  /// Of what is computed now, or is going to be.
  QString NextState;
  bool Previews{ false };

  SkullEffectsSlicePreview Preview;
  QTimer Pulse;
  QTimer Outdated;
  int Step{ 0 };
  int Direction{ 1 };
};

namespace
{
/// The preview pulses as that of Slicer's own Threshold does.
constexpr int PULSE_MS = 200;
constexpr int PULSE_STEPS = 5;
/// How long the user may hold still between two changes.
constexpr int SETTLED_MS = 400;
/// The value of an option that stands for all visible segments.
const char* const VISIBLE_SEGMENTS = "VISIBLE_SEGMENTS";
}

//-----------------------------------------------------------------------------
vtkSlicerSkullEffectsLogic* qSlicerSegmentEditorSkullEffectsEffect::logic()
{
  qSlicerCoreApplication* application = qSlicerCoreApplication::application();
  return application ? vtkSlicerSkullEffectsLogic::SafeDownCast(application->moduleLogic("SkullEffects")) : nullptr;
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorSkullEffectsEffect::qSlicerSegmentEditorSkullEffectsEffect(QObject* parent)
  : Superclass(parent)
  , d_ptr(new qSlicerSegmentEditorSkullEffectsEffectPrivate(this))
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  // A segment is made where there is none.
  this->m_RequireSegments = false;
  this->m_ShowEffectCursorInSliceView = false;
  d->Pulse.setInterval(PULSE_MS);
  d->Outdated.setInterval(SETTLED_MS);
  d->Outdated.setSingleShot(true);
  QObject::connect(&d->Pulse, SIGNAL(timeout()), this, SLOT(onPulse()));
  QObject::connect(&d->Outdated, SIGNAL(timeout()), this, SLOT(onPreviewOutdated()));
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorSkullEffectsEffect::~qSlicerSegmentEditorSkullEffectsEffect()
{
  this->cancel();
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (d->ProgressTag && this->logic())
  {
    this->logic()->RemoveObserver(d->ProgressTag);
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::setMRMLDefaults()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  for (const auto& option : d->Options)
  {
    this->setParameterDefault(option.Name, option.Default);
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::activate()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  Superclass::activate();
  this->updateGUIFromMRML();
  d->Pulse.start();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::deactivate()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  Superclass::deactivate();
  d->Pulse.stop();
  this->cancel();
  this->discardPreview();
  d->Preview.Clear();
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::apply()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  const QPointer<qSlicerSegmentEditorSkullEffectsEffect> self(this);
  if (!this->computeResult() || !self)
  {
    return false;
  }
  // Kept from here on by nobody else: what is written belongs to the state before.
  const vtkSmartPointer<vtkSkullEffectsOperation> operation = d->Operation;
  const vtkSmartPointer<vtkOrientedImageData> mask = d->Mask;
  this->discardPreview();
  return this->write(operation, mask);
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::preview()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  const QPointer<qSlicerSegmentEditorSkullEffectsEffect> self(this);
  d->Previews = true;
  const bool computed = this->computeResult();
  if (!self)
  {
    return false;
  }
  // A change meanwhile has the next turn.
  d->Previews = computed || d->Outdated.isActive();
  if (d->PreviewButton)
  {
    const QSignalBlocker blocker(d->PreviewButton);
    d->PreviewButton->setChecked(d->Previews);
  }
  this->onPulse();
  return computed;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::computeResult()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->LastError.clear();
  d->LastWarnings.clear();
  if (!this->parameterSetNode() || !this->parameterSetNode()->GetSegmentationNode())
  {
    d->LastError = tr("There is no segmentation: choose one, or create one.");
    return false;
  }
  // A script can run an effect whose button Slicer disables.
  const char* segmentID = this->parameterSetNode()->GetSelectedSegmentID();
  if (this->m_RequireSegments && (!segmentID || !*segmentID))
  {
    d->LastError = tr("No segment is selected: select one, or add one.");
    return false;
  }
  if (this->confirmCurrentSegmentVisible() == NotConfirmed)
  {
    return false;
  }
  const QString state = this->state();
  d->NextState = state;
  if (!d->Operation || state != d->State)
  {
    const vtkSmartPointer<vtkSkullEffectsOperation> operation = this->createOperation();
    const auto mask = vtkSmartPointer<vtkOrientedImageData>::New();
    const QPointer<qSlicerSegmentEditorSkullEffectsEffect> self(this);
    const bool computed = this->compute(operation, mask);
    if (!self || !computed)
    {
      return false;
    }
    if (state != this->state())
    {
      d->LastError = tr("An option, a segment or the volume was changed meanwhile: nothing was written, apply again.");
      return false;
    }
    d->Operation = operation;
    d->Mask = mask;
    d->State = state;
  }
  this->show(d->Operation);
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::show(vtkSkullEffectsOperation* operation)
{
  this->tell(this->summary(operation), operation);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::tell(const QString& line, vtkSkullEffectsOperation* operation)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->LastWarnings.clear();
  for (int i = 0; i < operation->GetNumberOfWarnings(); ++i)
  {
    d->LastWarnings << QString::fromStdString(operation->GetWarning(i));
  }
  if (d->Message)
  {
    d->Message->setText((QStringList(line) + d->LastWarnings).join("\n"));
  }
}

//-----------------------------------------------------------------------------
QString qSlicerSegmentEditorSkullEffectsEffect::summary(vtkSkullEffectsOperation* operation)
{
  return tr("%1 mL").arg(operation->GetVolumeMl(), 0, 'f', 1);
}

//-----------------------------------------------------------------------------
QString qSlicerSegmentEditorSkullEffectsEffect::state()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  QStringList state;
  for (const auto& option : d->Options)
  {
    state << this->text(option.Name);
  }
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLSegmentationNode* segmentation = editor ? editor->GetSegmentationNode() : nullptr;
  vtkMRMLScalarVolumeNode* volume = editor ? editor->GetSourceVolumeNode() : nullptr;
  state << QString(editor && editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "");
  for (vtkMRMLDisplayableNode* node : { static_cast<vtkMRMLDisplayableNode*>(segmentation), static_cast<vtkMRMLDisplayableNode*>(volume) })
  {
    vtkMRMLTransformNode* transform = node ? node->GetParentTransformNode() : nullptr;
    state << QString(node && node->GetID() ? node->GetID() : "") << QString::number(transform ? transform->GetTransformToWorldMTime() : 0);
  }
  state << QString::number(segmentation ? segmentation->GetSegmentation()->GetMTime() : 0);
  if (volume && volume->GetImageData())
  {
    vtkNew<vtkMatrix4x4> toRAS;
    volume->GetIJKToRASMatrix(toRAS);
    std::for_each(toRAS->GetData(), toRAS->GetData() + 16, [&](double element) { state << QString::number(element, 'g', 17); });
    state << QString::number(volume->GetImageData()->GetMTime());
  }
  return state.join("|");
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::discardPreview()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->Previews = false;
  d->Operation = nullptr;
  d->Mask = nullptr;
  d->Outdated.stop();
  if (d->PreviewButton)
  {
    const QSignalBlocker blocker(d->PreviewButton);
    d->PreviewButton->setChecked(false);
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::onPreviewToggled(bool on)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (!on)
  {
    this->cancel();
    d->Previews = false;
    d->Outdated.stop();
    this->onPulse();
    return;
  }
  const QPointer<qSlicerSegmentEditorSkullEffectsEffect> self(this);
  this->preview();
  if (self && !d->Previews && !d->LastError.isEmpty())
  {
    QMessageBox::warning(this->optionsFrame(), this->title(), d->LastError);
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::onPreviewOutdated()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (!d->Previews)
  {
    return;
  }
  if (d->ProgressTag)
  {
    this->cancel(); // and once more when that has ended
    d->Outdated.start();
    return;
  }
  this->preview();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::onPulse()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (this->active())
  {
    this->follow();
  }
  SkullEffectsSlicePreview::Selection selection{};
  if (!this->active() || !this->parameterSetNode() || !this->parameterSetNode()->GetSegmentationNode() || !this->previewSelection(selection))
  {
    d->Preview.Clear();
    return;
  }
  d->Preview.Show(selection, 0.5 + d->Step / (2. * PULSE_STEPS));
  d->Step += d->Direction;
  if (d->Step >= PULSE_STEPS || d->Step <= 0)
  {
    d->Direction = -d->Direction;
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::follow()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (!d->Previews)
  {
    return;
  }
  const QString state = this->state();
  if (state == d->NextState)
  {
    return;
  }
  d->NextState = state;
  if (state != d->State)
  {
    d->Outdated.start();
  }
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::previewSelection(SkullEffectsSlicePreview::Selection& selection)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (!d->Previews || !d->Operation)
  {
    return false;
  }
  selection.Segmentation = this->parameterSetNode()->GetSegmentationNode();
  selection.Mask = d->Mask;
  this->resultColor(d->Operation, selection.Color);
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::resultColor(vtkSkullEffectsOperation* operation, double color[3])
{
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLSegmentationNode* segmentation = editor->GetSegmentationNode();
  const std::string segmentID = editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "";
  auto* display = vtkMRMLSegmentationDisplayNode::SafeDownCast(segmentation->GetDisplayNode());
  if (display && segmentation->GetSegmentation()->GetSegment(segmentID))
  {
    display->GetSegmentColor(segmentID, color);
    return;
  }
  vtkSlicerSkullEffectsLogic::GetSegmentColor(operation->GetDefaultSegmentName(), color);
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask)
{
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLSegmentationNode* segmentation = editor->GetSegmentationNode();
  std::string segmentID = editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "";

  // The masks are what the effect works in: they must not lose what the selected segment gains.
  std::map<std::string, vtkSmartPointer<vtkOrientedImageData>> masks;
  for (const std::string& maskID : operation->GetMaskSegmentIDs())
  {
    const auto kept = vtkSmartPointer<vtkOrientedImageData>::New();
    if (maskID != segmentID && editor->GetOverwriteMode() != vtkMRMLSegmentEditorNode::OverwriteNone
        && segmentation->GetBinaryLabelmapRepresentation(maskID, kept))
    {
      masks[maskID] = kept;
    }
  }

  this->saveStateForUndo();
  if (segmentID.empty())
  {
    segmentID = vtkSlicerSkullEffectsLogic::AddSegment(segmentation, operation->GetDefaultSegmentName());
    editor->SetSelectedSegmentID(segmentID.c_str());
  }
  this->setSegment(segmentID, mask);
  for (const auto& [maskID, kept] : masks)
  {
    vtkSlicerSegmentationsModuleLogic::SetBinaryLabelmapToSegment(kept, segmentation, maskID, vtkSlicerSegmentationsModuleLogic::MODE_MERGE_MASK);
  }
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::setSegment(const std::string& segmentID, vtkOrientedImageData* mask)
{
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  const bool cleared = vtkSlicerSkullEffectsLogic::ClearSegmentToSet(editor, segmentID);
  this->modifySegmentByLabelmap(editor->GetSegmentationNode(), segmentID.c_str(), mask, cleared ? ModificationModeAdd : ModificationModeSet);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::setLastError(const QString& message)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->LastError = message;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::compute(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  vtkSlicerSkullEffectsLogic* logic = this->logic();
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  if (!logic || !editor)
  {
    d->LastError = tr("The module SkullEffects is not loaded.");
    return false;
  }
  const QPointer<qSlicerSegmentEditorSkullEffectsEffect> self(this);
  d->ProgressTag = logic->AddObserver(vtkCommand::ProgressEvent, this, &qSlicerSegmentEditorSkullEffectsEffect::onProgress);
  if (d->ApplyButton)
  {
    d->ApplyButton->setText(tr("Cancel"));
    d->Progress->setVisible(true);
    d->Message->clear();
  }
  const bool computed = logic->ComputeMask(operation, editor->GetSourceVolumeNode(), editor->GetSegmentationNode(), mask);
  if (!self)
  {
    return false;
  }
  logic->RemoveObserver(d->ProgressTag);
  d->ProgressTag = 0;
  if (d->ApplyButton)
  {
    d->ApplyButton->setText(tr("Apply"));
    d->Progress->setVisible(false);
  }
  if (!computed && !logic->GetCancelled())
  {
    d->LastError = QString::fromStdString(logic->GetErrorMessage());
  }
  return computed;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::onProgress()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (d->Progress && this->logic())
  {
    d->Progress->setValue(static_cast<int>(100. * this->logic()->GetProgress()));
  }
  // The logic runs one operation at a time, and writes nothing where the user changed its inputs meanwhile.
  QCoreApplication::processEvents();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::cancel()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  // Only what this effect started.
  if (d->ProgressTag && this->logic())
  {
    this->logic()->Cancel();
  }
}

//-----------------------------------------------------------------------------
QString qSlicerSegmentEditorSkullEffectsEffect::lastError() const
{
  Q_D(const qSlicerSegmentEditorSkullEffectsEffect);
  return d->LastError;
}

//-----------------------------------------------------------------------------
QStringList qSlicerSegmentEditorSkullEffectsEffect::lastWarnings() const
{
  Q_D(const qSlicerSegmentEditorSkullEffectsEffect);
  return d->LastWarnings;
}

//-----------------------------------------------------------------------------
QStringList qSlicerSegmentEditorSkullEffectsEffect::optionNames() const
{
  Q_D(const qSlicerSegmentEditorSkullEffectsEffect);
  QStringList names;
  for (const auto& option : d->Options)
  {
    names << option.Name;
  }
  return names;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::setOption(const QString& name, const QString& value)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (!this->optionNames().contains(name))
  {
    d->LastError = tr("%1 has no option %2; it has %3.").arg(this->title(), name, this->optionNames().join(", "));
    return false;
  }
  this->setParameter(name, value);
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::onApplyClicked()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (d->ProgressTag)
  {
    this->cancel();
    return;
  }
  const QPointer<qSlicerSegmentEditorSkullEffectsEffect> self(this);
  this->apply();
  if (self && !d->LastError.isEmpty())
  {
    QMessageBox::warning(this->optionsFrame(), this->title(), d->LastError);
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::updateGUIFromMRML()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (!this->active() || !this->scene())
  {
    return;
  }
  for (auto& option : d->Options)
  {
    const QSignalBlocker blocker(option.Widget);
    option.Show(this->text(option.Name));
    option.Shown = option.Value();
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::updateMRMLFromGUI()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (!this->parameterSetNode())
  {
    return;
  }
  const int wasModified = this->parameterSetNode()->StartModify();
  for (const auto& option : d->Options)
  {
    if (option.Value() != option.Shown)
    {
      this->setParameter(option.Name, option.Value());
    }
  }
  this->parameterSetNode()->EndModify(wasModified);
}

//-----------------------------------------------------------------------------
QWidget* qSlicerSegmentEditorSkullEffectsEffect::optionWidget(const QString& name) const
{
  Q_D(const qSlicerSegmentEditorSkullEffectsEffect);
  const auto found = std::find_if(d->Options.begin(), d->Options.end(), [&](const auto& option) { return option.Name == name; });
  return found != d->Options.end() ? found->Widget : nullptr;
}

//-----------------------------------------------------------------------------
QString qSlicerSegmentEditorSkullEffectsEffect::text(const QString& name)
{
  return this->parameterDefined(name) ? this->parameter(name) : QString();
}

//-----------------------------------------------------------------------------
double qSlicerSegmentEditorSkullEffectsEffect::number(const QString& name, double defaultValue)
{
  bool valid = false;
  const double value = this->text(name).toDouble(&valid);
  return valid ? value : defaultValue;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::beginRow(const QString& label)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->Row = new QHBoxLayout();
  d->RowLabel = label;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addToRow(QWidget* widget)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->Row->addWidget(widget);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::endRow()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  this->addLabeledOptionsWidget(d->RowLabel, d->Row);
  d->Row = nullptr;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addWidget(const QString& label, QWidget* widget)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (!d->Row)
  {
    this->addLabeledOptionsWidget(label, widget);
    return;
  }
  if (!label.isEmpty())
  {
    d->Row->addWidget(new QLabel(label));
  }
  d->Row->addWidget(widget, 1);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addNumber(const QString& name, const QString& label, QWidget* box, double defaultValue)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  box->setObjectName("SkullEffects" + name);
  this->addWidget(label, box);
  const auto show = [this, box, defaultValue](const QString& text) {
    if (auto* unitAware = qobject_cast<qMRMLSpinBox*>(box))
    {
      unitAware->setMRMLScene(this->scene());
    }
    bool valid = false;
    const double value = text.toDouble(&valid);
    box->setProperty("value", valid ? value : defaultValue);
  };
  d->Options.push_back({ name, QString::number(defaultValue), box, show, [box] { return QString::number(box->property("value").toDouble(), 'g', 10); } });
  QObject::connect(box, SIGNAL(valueChanged(double)), this, SLOT(updateMRMLFromGUI()));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addLength(const QString& name, const QString& label, const QString& toolTip, double maximumMm, double defaultMm, const QString& zeroText)
{
  auto* box = new qMRMLSpinBox();
  box->setQuantity("length");
  box->setUnitAwareProperties(qMRMLSpinBox::Prefix | qMRMLSpinBox::Suffix | qMRMLSpinBox::Precision);
  box->setRange(0., maximumMm);
  if (auto* inner = box->findChild<QDoubleSpinBox*>())
  {
    inner->setSpecialValueText(zeroText);
  }
  box->setToolTip(toolTip);
  this->addNumber(name, label, box, defaultMm);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addVolume(const QString& name, const QString& label, const QString& toolTip, double defaultMl, const QString& zeroText)
{
  auto* box = new QDoubleSpinBox();
  box->setSuffix(tr(" mL"));
  box->setDecimals(3);
  box->setRange(0., 10000.);
  box->setSpecialValueText(zeroText);
  box->setToolTip(toolTip);
  this->addNumber(name, label, box, defaultMl);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addIntensity(const QString& name, const QString& label, const QString& toolTip, double defaultValue)
{
  auto* box = new QDoubleSpinBox();
  box->setRange(-1e9, 1e9);
  box->setToolTip(toolTip);
  this->addNumber(name, label, box, defaultValue);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addCheckBox(const QString& name, const QString& label, const QString& toolTip, bool defaultValue)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  auto* box = new QCheckBox();
  box->setObjectName("SkullEffects" + name);
  box->setToolTip(toolTip);
  this->addWidget(label, box);
  const auto show = [box](const QString& text) { box->setChecked(text.toInt() != 0); };
  d->Options.push_back({ name, QString::number(int(defaultValue)), box, show, [box] { return QString::number(int(box->isChecked())); } });
  QObject::connect(box, SIGNAL(toggled(bool)), this, SLOT(updateMRMLFromGUI()));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addChoice(const QString& name,
                                                       const QString& label,
                                                       const QString& toolTip,
                                                       const QStringList& values,
                                                       const QStringList& texts)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  auto* box = new QComboBox();
  box->setObjectName("SkullEffects" + name);
  box->setToolTip(toolTip);
  for (int i = 0; i < values.size(); ++i)
  {
    box->addItem(texts[i], values[i]);
  }
  this->addWidget(label, box);
  const auto show = [box](const QString& text) { box->setCurrentIndex(std::max(0, box->findData(text))); };
  d->Options.push_back({ name, values.first(), box, show, [box] { return box->currentData().toString(); } });
  QObject::connect(box, SIGNAL(currentIndexChanged(int)), this, SLOT(updateMRMLFromGUI()));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addSegment(const QString& name, const QString& label, const QString& toolTip)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  auto* box = new QComboBox();
  box->setObjectName("SkullEffects" + name);
  box->setToolTip(toolTip);
  this->addWidget(label, box);
  const auto show = [this, box](const QString& text) {
    box->clear();
    box->addItem(tr("Everywhere"), QString());
    box->addItem(tr("All visible segments"), VISIBLE_SEGMENTS);
    vtkMRMLSegmentationNode* segmentation = this->parameterSetNode() ? this->parameterSetNode()->GetSegmentationNode() : nullptr;
    for (int i = 0; segmentation && i < segmentation->GetSegmentation()->GetNumberOfSegments(); ++i)
    {
      box->addItem(QString::fromUtf8(segmentation->GetSegmentation()->GetNthSegment(i)->GetName()),
                   QString::fromStdString(segmentation->GetSegmentation()->GetNthSegmentID(i)));
    }
    box->setCurrentIndex(std::max(0, box->findData(text)));
  };
  d->Options.push_back({ name, QString(), box, show, [box] { return box->currentData().toString(); } });
  QObject::connect(box, SIGNAL(currentIndexChanged(int)), this, SLOT(updateMRMLFromGUI()));
}

//-----------------------------------------------------------------------------
std::vector<std::string> qSlicerSegmentEditorSkullEffectsEffect::segmentIDs(const QString& name)
{
  const std::string chosen = this->text(name).toStdString();
  if (chosen.empty())
  {
    return {};
  }
  if (chosen != VISIBLE_SEGMENTS)
  {
    return { chosen };
  }
  std::vector<std::string> visible;
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLSegmentationNode* segmentation = editor ? editor->GetSegmentationNode() : nullptr;
  if (auto* display = segmentation ? vtkMRMLSegmentationDisplayNode::SafeDownCast(segmentation->GetDisplayNode()) : nullptr)
  {
    display->GetVisibleSegmentIDs(visible);
  }
  const std::string selected = editor && editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "";
  visible.erase(std::remove(visible.begin(), visible.end(), selected), visible.end());
  // No segment, where none is visible: that is an error, and not everywhere.
  return visible.empty() ? std::vector<std::string>{ "" } : visible;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addApply(bool withPreview)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->ApplyButton = new QPushButton(tr("Apply"));
  d->ApplyButton->setObjectName("SkullEffectsApplyButton");
  d->ApplyButton->setToolTip(tr("Set the selected segment to the result. It can be undone."));
  auto* buttons = new QHBoxLayout();
  if (withPreview)
  {
    d->PreviewButton = new QPushButton(tr("Preview"));
    d->PreviewButton->setObjectName("SkullEffectsPreviewButton");
    d->PreviewButton->setCheckable(true);
    d->PreviewButton->setToolTip(tr("Show the result in the slice views, and follow the options, without writing it."));
    buttons->addWidget(d->PreviewButton);
    QObject::connect(d->PreviewButton, SIGNAL(toggled(bool)), this, SLOT(onPreviewToggled(bool)));
  }
  buttons->addWidget(d->ApplyButton);
  d->Progress = new QProgressBar();
  d->Progress->setRange(0, 100);
  d->Progress->setVisible(false);
  d->Message = new QLabel();
  d->Message->setWordWrap(true);
  this->addOptionsWidget(buttons);
  this->addOptionsWidget(d->Progress);
  this->addOptionsWidget(d->Message);
  QObject::connect(d->ApplyButton, SIGNAL(clicked()), this, SLOT(onApplyClicked()));
}
