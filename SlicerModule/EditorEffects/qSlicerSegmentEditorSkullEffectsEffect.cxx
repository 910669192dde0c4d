#include "qSlicerSegmentEditorSkullEffectsEffect.h"

// SkullEffects includes
#include "vtkSkullEffectsOperation.h"
#include "vtkSlicerSkullEffectsLogic.h"

// Segmentations includes
#include <vtkMRMLSegmentEditorNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkOrientedImageData.h>
#include <vtkSegment.h>
#include <vtkSegmentation.h>
#include <vtkSlicerSegmentationsModuleLogic.h>

// Slicer includes
#include <qMRMLSpinBox.h>
#include <qSlicerApplication.h>
#include <vtkMRMLScalarVolumeNode.h>

// VTK includes
#include <vtkCommand.h>
#include <vtkNew.h>

// Qt includes
#include <QCheckBox>
#include <QComboBox>
#include <QCoreApplication>
#include <QDoubleSpinBox>
#include <QFrame>
#include <QLabel>
#include <QMessageBox>
#include <QPointer>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalBlocker>

// STD includes
#include <algorithm>
#include <functional>
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
  };

  vtkSlicerSkullEffectsLogic* logic();

  std::vector<Option> Options;
  QPushButton* ApplyButton{ nullptr };
  QProgressBar* Progress{ nullptr };
  QLabel* Message{ nullptr };
  QString LastError;
  QStringList LastWarnings;
  unsigned long ProgressTag{ 0 };
};

//-----------------------------------------------------------------------------
vtkSlicerSkullEffectsLogic* qSlicerSegmentEditorSkullEffectsEffectPrivate::logic()
{
  qSlicerCoreApplication* application = qSlicerCoreApplication::application();
  return application ? vtkSlicerSkullEffectsLogic::SafeDownCast(application->moduleLogic("SkullEffects")) : nullptr;
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorSkullEffectsEffect::qSlicerSegmentEditorSkullEffectsEffect(QObject* parent)
  : Superclass(parent)
  , d_ptr(new qSlicerSegmentEditorSkullEffectsEffectPrivate)
{
  // A segment is made where there is none.
  this->m_RequireSegments = false;
  this->m_ShowEffectCursorInSliceView = false;
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorSkullEffectsEffect::~qSlicerSegmentEditorSkullEffectsEffect()
{
  this->cancel();
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  if (d->ProgressTag && d->logic())
  {
    d->logic()->RemoveObserver(d->ProgressTag);
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
void qSlicerSegmentEditorSkullEffectsEffect::deactivate()
{
  Superclass::deactivate();
  this->cancel();
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::apply()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->LastError.clear();
  d->LastWarnings.clear();
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLSegmentationNode* segmentation = editor ? editor->GetSegmentationNode() : nullptr;
  if (!segmentation)
  {
    d->LastError = tr("There is no segmentation: choose one, or create one.");
    return false;
  }
  if (this->confirmCurrentSegmentVisible() == NotConfirmed)
  {
    return false;
  }

  const vtkSmartPointer<vtkSkullEffectsOperation> operation = this->createOperation();
  vtkNew<vtkOrientedImageData> mask;
  const QPointer<qSlicerSegmentEditorSkullEffectsEffect> self(this);
  const std::string selected = editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "";
  const bool computed = this->compute(operation, mask);
  if (!self || !computed)
  {
    return false;
  }
  if (selected != (editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : ""))
  {
    d->LastError = tr("Another segment was selected meanwhile: nothing was written, apply again.");
    return false;
  }
  for (int i = 0; i < operation->GetNumberOfWarnings(); ++i)
  {
    d->LastWarnings << QString::fromStdString(operation->GetWarning(i));
  }

  if (!this->write(operation, mask))
  {
    return false;
  }
  if (d->Message)
  {
    d->Message->setText((QStringList(tr("%1 mL").arg(operation->GetVolumeMl(), 0, 'f', 1)) + d->LastWarnings).join("\n"));
  }
  return true;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorSkullEffectsEffect::write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask)
{
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLSegmentationNode* segmentation = editor->GetSegmentationNode();
  std::string segmentID = editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "";

  // The mask is what the effect works in: it must not lose what the selected segment gains.
  const std::string maskID = operation->GetMaskSegmentID();
  vtkNew<vtkOrientedImageData> maskSegment;
  const bool protects = !maskID.empty() && maskID != segmentID && segmentation->GetBinaryLabelmapRepresentation(maskID, maskSegment);

  this->saveStateForUndo();
  if (segmentID.empty())
  {
    segmentID = vtkSlicerSkullEffectsLogic::AddSegment(segmentation, operation->GetDefaultSegmentName());
    editor->SetSelectedSegmentID(segmentID.c_str());
  }
  this->modifySegmentByLabelmap(segmentation, segmentID.c_str(), mask, ModificationModeSet);
  if (protects)
  {
    vtkSlicerSegmentationsModuleLogic::SetBinaryLabelmapToSegment(maskSegment, segmentation, maskID, vtkSlicerSegmentationsModuleLogic::MODE_MERGE_MAX);
  }
  return true;
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
  vtkSlicerSkullEffectsLogic* logic = d->logic();
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
  if (d->Progress && d->logic())
  {
    d->Progress->setValue(static_cast<int>(100. * d->logic()->GetProgress()));
  }
  // The logic runs one operation at a time, and writes nothing where the user changed its inputs meanwhile.
  QCoreApplication::processEvents();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::cancel()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  // Only what this effect started.
  if (d->ProgressTag && d->logic())
  {
    d->logic()->Cancel();
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
  for (const auto& option : d->Options)
  {
    const QSignalBlocker blocker(option.Widget);
    option.Show(this->parameter(option.Name));
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
    this->setParameter(option.Name, option.Value());
  }
  this->parameterSetNode()->EndModify(wasModified);
}

//-----------------------------------------------------------------------------
double qSlicerSegmentEditorSkullEffectsEffect::number(const QString& name, double defaultValue)
{
  bool valid = false;
  const double value = this->parameter(name).toDouble(&valid);
  return valid ? value : defaultValue;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addLength(const QString& name, const QString& label, const QString& toolTip, double maximumMm, double defaultMm)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  auto* box = new qMRMLSpinBox();
  box->setQuantity("length");
  box->setUnitAwareProperties(qMRMLSpinBox::Prefix | qMRMLSpinBox::Suffix | qMRMLSpinBox::Precision);
  box->setRange(0., maximumMm);
  box->setToolTip(toolTip);
  this->addLabeledOptionsWidget(label, box);
  const auto show = [this, box, defaultMm](const QString& text) {
    box->setMRMLScene(this->scene());
    bool valid = false;
    const double value = text.toDouble(&valid);
    box->setValue(valid ? value : defaultMm);
  };
  d->Options.push_back({ name, QString::number(defaultMm), box, show, [box] { return QString::number(box->value(), 'g', 10); } });
  QObject::connect(box, SIGNAL(valueChanged(double)), this, SLOT(updateMRMLFromGUI()));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addVolume(const QString& name, const QString& label, const QString& toolTip, double defaultMl)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  auto* box = new QDoubleSpinBox();
  box->setSuffix(tr(" mL"));
  box->setDecimals(3);
  box->setRange(0., 10000.);
  box->setToolTip(toolTip);
  this->addLabeledOptionsWidget(label, box);
  const auto show = [box, defaultMl](const QString& text) {
    bool valid = false;
    const double value = text.toDouble(&valid);
    box->setValue(valid ? value : defaultMl);
  };
  d->Options.push_back({ name, QString::number(defaultMl), box, show, [box] { return QString::number(box->value(), 'g', 10); } });
  QObject::connect(box, SIGNAL(valueChanged(double)), this, SLOT(updateMRMLFromGUI()));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addIntensity(const QString& name, const QString& label, const QString& toolTip, double defaultValue)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  auto* box = new QDoubleSpinBox();
  box->setRange(-1e9, 1e9);
  box->setToolTip(toolTip);
  this->addLabeledOptionsWidget(label, box);
  const auto show = [box, defaultValue](const QString& text) {
    bool valid = false;
    const double value = text.toDouble(&valid);
    box->setValue(valid ? value : defaultValue);
  };
  d->Options.push_back({ name, QString::number(defaultValue), box, show, [box] { return QString::number(box->value(), 'g', 10); } });
  QObject::connect(box, SIGNAL(valueChanged(double)), this, SLOT(updateMRMLFromGUI()));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addCheckBox(const QString& name, const QString& label, const QString& toolTip, bool defaultValue)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  auto* box = new QCheckBox();
  box->setToolTip(toolTip);
  this->addLabeledOptionsWidget(label, box);
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
  box->setToolTip(toolTip);
  for (int i = 0; i < values.size(); ++i)
  {
    box->addItem(texts[i], values[i]);
  }
  this->addLabeledOptionsWidget(label, box);
  const auto show = [box](const QString& text) { box->setCurrentIndex(std::max(0, box->findData(text))); };
  d->Options.push_back({ name, values.first(), box, show, [box] { return box->currentData().toString(); } });
  QObject::connect(box, SIGNAL(currentIndexChanged(int)), this, SLOT(updateMRMLFromGUI()));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorSkullEffectsEffect::addSegment(const QString& name, const QString& label, const QString& toolTip)
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  auto* box = new QComboBox();
  box->setToolTip(toolTip);
  this->addLabeledOptionsWidget(label, box);
  const auto show = [this, box](const QString& text) {
    box->clear();
    box->addItem(tr("Everywhere"), QString());
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
void qSlicerSegmentEditorSkullEffectsEffect::addApply()
{
  Q_D(qSlicerSegmentEditorSkullEffectsEffect);
  d->ApplyButton = new QPushButton(tr("Apply"));
  d->ApplyButton->setObjectName("SkullEffectsApplyButton");
  d->ApplyButton->setToolTip(tr("Set the selected segment to the result. It can be undone."));
  d->Progress = new QProgressBar();
  d->Progress->setRange(0, 100);
  d->Progress->setVisible(false);
  d->Message = new QLabel();
  d->Message->setWordWrap(true);
  this->addOptionsWidget(d->ApplyButton);
  this->addOptionsWidget(d->Progress);
  this->addOptionsWidget(d->Message);
  QObject::connect(d->ApplyButton, SIGNAL(clicked()), this, SLOT(onApplyClicked()));
}
