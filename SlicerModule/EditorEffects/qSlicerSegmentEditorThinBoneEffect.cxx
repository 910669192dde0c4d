#include "qSlicerSegmentEditorThinBoneEffect.h"

// SkullEffects includes
#include "vtkSkullEffectsThinBone.h"
#include "vtkSlicerSkullEffectsLogic.h"

// Segmentations includes
#include <vtkMRMLSegmentEditorNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkOrientedImageData.h>
#include <vtkSegment.h>
#include <vtkSegmentation.h>

// Slicer includes
#include <qMRMLNodeComboBox.h>

// MRML includes
#include <vtkMRMLCameraNode.h>
#include <vtkMRMLMarkupsDisplayNode.h>
#include <vtkMRMLMarkupsFiducialNode.h>
#include <vtkMRMLMarkupsROINode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLScene.h>
#include <vtkMRMLSliceNode.h>
#include <vtkMRMLTableNode.h>
#include <vtkMRMLTransformNode.h>

// VTK includes
#include <vtkBoundingBox.h>
#include <vtkGeneralTransform.h>
#include <vtkNew.h>

// Qt includes
#include <QFrame>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QIcon>
#include <QMessageBox>
#include <QPushButton>
#include <QTableWidget>

// STD includes
#include <array>
#include <cmath>
#include <vector>

namespace
{
/// Of the segment of what was added: the ID of the bone's.
const char* const ADDED_TO_TAG = "SkullEffects.ThinBone.AddedTo";
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorThinBoneEffect::qSlicerSegmentEditorThinBoneEffect(QObject* parent)
  : Superclass(parent)
{
  this->m_Name = "Thin Bone"; // no tr: this is how scripts find it
  this->m_Title = tr("Thin Bone");
  this->m_RequireSegments = true;
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorThinBoneEffect::~qSlicerSegmentEditorThinBoneEffect() = default;

//-----------------------------------------------------------------------------
QIcon qSlicerSegmentEditorThinBoneEffect::icon()
{
  return QIcon(":/SkullEffects/Icons/ThinBone.svg");
}

//-----------------------------------------------------------------------------
const QString qSlicerSegmentEditorThinBoneEffect::helpText() const
{
  return QString("<html>") + tr("Put back walls of bone that are thinner than a voxel, and list every opening that stays") + ".<br>"
         + "<ul style=\"margin: 0\"><li>" + tr("Select the segment that holds the bone of a CT, and click Apply.") + "</li><li>"
         + tr("Click an opening to go there; double-click it to turn its verdict.") + "</li><li>"
         + tr("Merge adds what was put back to the bone. What cannot be decided in the scan stays open, and is listed so.") + "</li></ul></html>";
}

//-----------------------------------------------------------------------------
qSlicerSegmentEditorAbstractEffect* qSlicerSegmentEditorThinBoneEffect::clone()
{
  return new qSlicerSegmentEditorThinBoneEffect();
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::setupOptionsFrame()
{
  Superclass::setupOptionsFrame();
  vtkNew<vtkSkullEffectsThinBone> defaults;
  this->addLength("ThinnestMm", tr("Walls from:"), tr("The thinnest wall that is looked for."), 5., defaults->GetThinnestMm());
  this->addLength("LargestOpeningMm",
                  tr("List openings up to:"),
                  tr("Openings up to the area of a circle of this diameter are listed."),
                  200.,
                  defaults->GetLargestOpeningMm());
  this->addLength("FwhmInPlaneMm",
                  tr("Blur within a slice:"),
                  tr("The scanner's full width at half maximum; 0 measures it on the skin."),
                  20.,
                  defaults->GetFwhmInPlaneMm(),
                  tr("Measured"));
  this->addLength("FwhmThroughPlaneMm",
                  tr("Blur across slices:"),
                  tr("The scanner's full width at half maximum; 0 measures it on the skin."),
                  20.,
                  defaults->GetFwhmThroughPlaneMm(),
                  tr("Measured"));
  this->Region = new qMRMLNodeComboBox();
  this->Region->setObjectName("SkullEffectsRegion");
  this->Region->setNodeTypes({ "vtkMRMLMarkupsROINode" });
  this->Region->setNoneEnabled(true);
  this->Region->setNoneDisplay(tr("Whole scan"));
  this->Region->setRenameEnabled(true);
  this->Region->setToolTip(tr("Look for walls and openings only in this box, which is faster; a turned one is taken by its bounds along the volume's axes. "
                              "Choose to create one, and drag its handles in the views."));
  this->addLabeledOptionsWidget(tr("Region:"), this->Region);
  QObject::connect(this->Region, SIGNAL(currentNodeChanged(vtkMRMLNode*)), this, SLOT(onRegionChosen(vtkMRMLNode*)));
  QObject::connect(this->Region, SIGNAL(nodeAddedByUser(vtkMRMLNode*)), this, SLOT(onRegionAdded(vtkMRMLNode*)));
  this->addApply(true);

  const QStringList columns{ tr("Verdict"), tr("Size"), tr("Wall in it"), tr("Both sides"), tr("By") };
  const QString toolTips[] = {
    tr("Filled: there is a wall. Open: there is none. Undecided: the scan cannot tell; it stays open."),
    tr("Diameter of the circle of equal area."),
    tr("Wall that the middle of the opening shows, as a share of that around it, and the share that it would show if it were empty."),
    tr("Intensity on both sides of the opening."),
    tr("Who decided."),
  };
  this->Openings = new QTableWidget(0, columns.size());
  this->Openings->setObjectName("SkullEffectsOpenings");
  this->Openings->setHorizontalHeaderLabels(columns);
  for (int column = 0; column < columns.size(); ++column)
  {
    this->Openings->horizontalHeaderItem(column)->setToolTip(toolTips[column]);
  }
  this->Openings->horizontalHeader()->setStretchLastSection(true);
  this->Openings->verticalHeader()->setDefaultSectionSize(this->Openings->fontMetrics().height() + 6);
  this->Openings->setEditTriggers(QAbstractItemView::NoEditTriggers);
  this->Openings->setSelectionBehavior(QAbstractItemView::SelectRows);
  this->Openings->setSelectionMode(QAbstractItemView::SingleSelection);
  this->Openings->setMinimumHeight(160);
  this->Openings->setToolTip(tr("Click to go to the opening, double-click to turn its verdict."));
  this->addOptionsWidget(this->Openings);
  QObject::connect(this->Openings, &QTableWidget::cellClicked, this, [this](int row, int) { this->jumpToOpening(row); });
  QObject::connect(this->Openings,
                   &QTableWidget::cellDoubleClicked,
                   this,
                   [this](int row, int)
                   {
                     if (!this->toggleOpening(row))
                     {
                       QMessageBox::warning(this->optionsFrame(), this->title(), this->lastError());
                     }
                   });

  auto* buttons = new QHBoxLayout();
  this->Merge = new QPushButton(tr("Merge into bone"));
  this->Merge->setToolTip(tr("Add what was put back to the selected segment."));
  QObject::connect(this->Merge, SIGNAL(clicked()), this, SLOT(onMergeClicked()));
  this->MakeNodes = new QPushButton(tr("Make nodes"));
  this->MakeNodes->setToolTip(tr("Make a table and points of the openings, and a volume of the walls' thickness, to be saved with the scene."));
  QObject::connect(this->MakeNodes, SIGNAL(clicked()), this, SLOT(onMakeNodesClicked()));
  buttons->addWidget(this->Merge);
  buttons->addWidget(this->MakeNodes);
  this->addOptionsWidget(buttons);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::updateGUIFromMRML()
{
  Superclass::updateGUIFromMRML();
  if (!this->Region || !this->active() || !this->scene())
  {
    return;
  }
  const QSignalBlocker blocker(this->Region);
  this->Region->setMRMLScene(this->scene());
  this->Region->setCurrentNode(this->nodeReference("Region"));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::onRegionChosen(vtkMRMLNode* region)
{
  if (this->active() && this->parameterSetNode())
  {
    this->setNodeReference("Region", region);
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::onRegionAdded(vtkMRMLNode* node)
{
  auto* region = vtkMRMLMarkupsROINode::SafeDownCast(node);
  vtkMRMLScalarVolumeNode* volume = this->parameterSetNode() ? this->parameterSetNode()->GetSourceVolumeNode() : nullptr;
  if (!region || !volume)
  {
    return;
  }
  // The middle of the volume, with handles in every view.
  double bounds[6], center[3], size[3];
  volume->GetRASBounds(bounds);
  vtkBoundingBox box(bounds);
  box.GetCenter(center);
  box.GetLengths(size);
  region->SetSize(size[0] / 2., size[1] / 2., size[2] / 2.);
  region->SetCenter(center);
  region->CreateDefaultDisplayNodes();
  if (auto* display = vtkMRMLMarkupsDisplayNode::SafeDownCast(region->GetDisplayNode()))
  {
    display->SetFillVisibility(false); // what is in it is looked at
    display->SetPropertiesLabelVisibility(false);
  }
}

//-----------------------------------------------------------------------------
vtkSegment* qSlicerSegmentEditorThinBoneEffect::bone()
{
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLSegmentationNode* segmentation = editor ? editor->GetSegmentationNode() : nullptr;
  return segmentation && editor->GetSelectedSegmentID() ? segmentation->GetSegmentation()->GetSegment(editor->GetSelectedSegmentID()) : nullptr;
}

//-----------------------------------------------------------------------------
std::string qSlicerSegmentEditorThinBoneEffect::addedSegmentID()
{
  if (!this->bone())
  {
    return "";
  }
  vtkSegmentation* segments = this->parameterSetNode()->GetSegmentationNode()->GetSegmentation();
  const std::string boneID = this->parameterSetNode()->GetSelectedSegmentID();
  for (int i = 0; i < segments->GetNumberOfSegments(); ++i)
  {
    std::string addedTo;
    if (segments->GetNthSegment(i)->GetTag(ADDED_TO_TAG, addedTo) && addedTo == boneID)
    {
      return segments->GetNthSegmentID(i);
    }
  }
  return "";
}

//-----------------------------------------------------------------------------
vtkSmartPointer<vtkSkullEffectsOperation> qSlicerSegmentEditorThinBoneEffect::createOperation()
{
  auto thinBone = vtkSmartPointer<vtkSkullEffectsThinBone>::New();
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  thinBone->SetBoneSegmentID(editor && editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "");
  thinBone->SetThinnestMm(this->number("ThinnestMm", thinBone->GetThinnestMm()));
  thinBone->SetLargestOpeningMm(this->number("LargestOpeningMm", thinBone->GetLargestOpeningMm()));
  thinBone->SetFwhmInPlaneMm(this->number("FwhmInPlaneMm", thinBone->GetFwhmInPlaneMm()));
  thinBone->SetFwhmThroughPlaneMm(this->number("FwhmThroughPlaneMm", thinBone->GetFwhmThroughPlaneMm()));
  auto* region = vtkMRMLMarkupsROINode::SafeDownCast(this->nodeReference("Region"));
  if (region && editor->GetSourceVolumeNode())
  {
    double bounds[6];
    vtkSlicerSkullEffectsLogic::GetRegionBounds(region, editor->GetSourceVolumeNode(), bounds);
    thinBone->SetRoiMm(bounds);
  }
  thinBone->ReadDecisions(this->bone());
  return thinBone;
}

//-----------------------------------------------------------------------------
QString qSlicerSegmentEditorThinBoneEffect::state()
{
  QString state = Superclass::state();
  auto* region = vtkMRMLMarkupsROINode::SafeDownCast(this->nodeReference("Region"));
  vtkMRMLScalarVolumeNode* volume = this->parameterSetNode() ? this->parameterSetNode()->GetSourceVolumeNode() : nullptr;
  if (region && volume)
  {
    std::array<double, 6> bounds;
    vtkSlicerSkullEffectsLogic::GetRegionBounds(region, volume, bounds.data());
    for (const double bound : bounds)
    {
      state += "|" + QString::number(bound, 'g', 17);
    }
  }
  return state + "|" + QString::fromStdString(vtkSkullEffectsThinBone::GetDecisionsText(this->bone()));
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::follow()
{
  Superclass::follow();
  if (this->Merge)
  {
    this->Merge->setEnabled(!this->addedSegmentID().empty());
    this->MakeNodes->setEnabled(this->Last != nullptr);
  }
  if (this->Last && this->bone() && vtkSkullEffectsThinBone::GetDecisionsText(this->bone()) != this->ListedDecisions)
  {
    this->Last->UpdateVerdicts(this->bone());
    this->list();
  }
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorThinBoneEffect::previewSelection(SkullEffectsSlicePreview::Selection& selection)
{
  if (!Superclass::previewSelection(selection))
  {
    return false;
  }
  // Beside the bone, not in its colour.
  vtkSlicerSkullEffectsLogic::GetSegmentColor("Thin bone", selection.Color);
  return true;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorThinBoneEffect::write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask)
{
  vtkMRMLSegmentationNode* segmentation = this->parameterSetNode()->GetSegmentationNode();
  this->saveStateForUndo();
  std::string added = this->addedSegmentID();
  if (added.empty())
  {
    added = vtkSlicerSkullEffectsLogic::AddSegment(segmentation, operation->GetDefaultSegmentName());
    segmentation->GetSegmentation()->GetSegment(added)->SetTag(ADDED_TO_TAG, this->parameterSetNode()->GetSelectedSegmentID());
  }
  this->setSegment(added, mask);
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::show(vtkSkullEffectsOperation* operation)
{
  Superclass::show(operation);
  this->Last = vtkSkullEffectsThinBone::SafeDownCast(operation);
  this->LastVolume = this->parameterSetNode()->GetSourceVolumeNode();
  this->list();
}

//-----------------------------------------------------------------------------
QString qSlicerSegmentEditorThinBoneEffect::summary(vtkSkullEffectsOperation* operation)
{
  auto* found = vtkSkullEffectsThinBone::SafeDownCast(operation);
  int count[3] = { 0, 0, 0 };
  for (int i = 0; i < found->GetNumberOfOpenings(); ++i)
  {
    ++count[found->GetOpeningVerdict(i)];
  }
  return tr("%1 put back; openings: %2 filled, %3 open, %4 undecided").arg(Superclass::summary(operation)).arg(count[0]).arg(count[1]).arg(count[2]);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::list()
{
  this->ListedDecisions = vtkSkullEffectsThinBone::GetDecisionsText(this->bone());
  this->tell(this->summary(this->Last), this->Last);
  if (!this->Openings)
  {
    return;
  }
  const QString verdicts[] = { tr("Filled"), tr("Open"), tr("Undecided") };
  this->Openings->setRowCount(this->Last->GetNumberOfOpenings());
  for (int row = 0; row < this->Last->GetNumberOfOpenings(); ++row)
  {
    double residual[3] = { 0., 0., 0. };
    this->Last->GetOpeningResidual(row, residual);
    double media[2] = { 0., 0. };
    this->Last->GetOpeningMediaHu(row, media);
    const auto percent = [](double share) { return QString::number(100. * share, 'f', 0); };
    const auto hu = [](double value) { return std::isfinite(value) ? QString::number(value, 'f', 0) : QString::fromUtf8("–"); };
    const QString texts[] = {
      verdicts[this->Last->GetOpeningVerdict(row)],
      tr("%1 mm").arg(this->Last->GetOpeningDiameterMm(row), 0, 'f', 1),
      std::isfinite(residual[0]) ? tr("%1 ± %2 % (empty: %3 %)").arg(percent(residual[0]), percent(residual[1]), percent(residual[2]))
                                 : tr("not measured"),
      tr("%1 | %2 HU").arg(hu(media[0]), hu(media[1])),
      this->Last->GetOpeningDecided(row) ? tr("You") : tr("Scan"),
    };
    for (int column = 0; column < this->Openings->columnCount(); ++column)
    {
      this->Openings->setItem(row, column, new QTableWidgetItem(texts[column]));
    }
  }
  this->Openings->resizeColumnsToContents();
}

//-----------------------------------------------------------------------------
vtkSkullEffectsThinBone* qSlicerSegmentEditorThinBoneEffect::lastResult()
{
  vtkMRMLScalarVolumeNode* volume = this->parameterSetNode() ? this->parameterSetNode()->GetSourceVolumeNode() : nullptr;
  if (!this->Last || !volume || this->LastVolume != volume)
  {
    this->setLastError(tr("There are no openings of this volume: apply first."));
    return nullptr;
  }
  return this->Last;
}

//-----------------------------------------------------------------------------
int qSlicerSegmentEditorThinBoneEffect::numberOfOpenings() const
{
  return this->Last ? this->Last->GetNumberOfOpenings() : 0;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::jumpToOpening(int index)
{
  vtkSkullEffectsThinBone* found = this->lastResult();
  if (!found || !this->scene() || index < 0 || index >= found->GetNumberOfOpenings())
  {
    return;
  }
  double center[3] = { 0., 0., 0. };
  found->GetOpeningCenter(index, center);
  vtkNew<vtkGeneralTransform> toWorld;
  vtkMRMLTransformNode::GetTransformBetweenNodes(this->LastVolume->GetParentTransformNode(), nullptr, toWorld);
  double place[3];
  toWorld->TransformPoint(center, place);
  vtkMRMLSliceNode::JumpAllSlices(this->scene(), place[0], place[1], place[2], vtkMRMLSliceNode::CenteredJumpSlice);
  // The 3-D views keep their direction and distance.
  std::vector<vtkMRMLNode*> cameras;
  this->scene()->GetNodesByClass("vtkMRMLCameraNode", cameras);
  for (vtkMRMLNode* node : cameras)
  {
    auto* camera = vtkMRMLCameraNode::SafeDownCast(node);
    double position[3], focus[3];
    camera->GetPosition(position);
    camera->GetFocalPoint(focus);
    camera->SetPosition(position[0] + place[0] - focus[0], position[1] + place[1] - focus[1], position[2] + place[2] - focus[2]);
    camera->SetFocalPoint(place);
    camera->ResetClippingRange();
  }
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorThinBoneEffect::toggleOpening(int index)
{
  vtkSkullEffectsThinBone* found = this->lastResult();
  if (!found)
  {
    return false;
  }
  const int verdict = found->GetOpeningVerdict(index) == vtkSkullEffectsThinBone::Filled ? vtkSkullEffectsThinBone::Open : vtkSkullEffectsThinBone::Filled;
  vtkMRMLSegmentationNode* segmentation = this->parameterSetNode()->GetSegmentationNode();
  vtkNew<vtkOrientedImageData> opening;
  vtkSlicerSkullEffectsLogic* logic = this->logic();
  if (!logic || !logic->ComputeOpeningMask(found, index, this->LastVolume, segmentation, opening))
  {
    this->setLastError(logic ? QString::fromStdString(logic->GetErrorMessage()) : tr("The module SkullEffects is not loaded."));
    return false;
  }
  this->saveStateForUndo();
  const std::string added = this->addedSegmentID();
  if (!opening->IsEmpty() && !added.empty())
  {
    this->modifySegmentByLabelmap(
      segmentation, added.c_str(), opening, verdict == vtkSkullEffectsThinBone::Filled ? ModificationModeAdd : ModificationModeRemove);
  }
  found->SetOpeningVerdict(index, verdict);
  found->WriteDecision(index, this->bone());
  this->list();
  return true;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorThinBoneEffect::merge()
{
  vtkMRMLSegmentationNode* segmentation = this->parameterSetNode() ? this->parameterSetNode()->GetSegmentationNode() : nullptr;
  const std::string addedID = this->addedSegmentID();
  vtkNew<vtkOrientedImageData> added;
  if (addedID.empty() || !segmentation->GetBinaryLabelmapRepresentation(addedID, added))
  {
    this->setLastError(tr("There is nothing to merge: apply first, with the bone's segment selected."));
    return false;
  }
  this->saveStateForUndo();
  this->modifySegmentByLabelmap(segmentation, this->parameterSetNode()->GetSelectedSegmentID(), added, ModificationModeAdd);
  vtkSkullEffectsThinBone::RemoveFilledDecisions(this->bone());
  segmentation->GetSegmentation()->RemoveSegment(addedID);
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::onMergeClicked()
{
  if (!this->merge())
  {
    QMessageBox::warning(this->optionsFrame(), this->title(), this->lastError());
  }
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorThinBoneEffect::makeNodes()
{
  vtkSkullEffectsThinBone* found = this->lastResult();
  if (!found || !this->scene())
  {
    return false;
  }
  const auto add = [this](const char* className, const QString& what)
  { return this->scene()->AddNewNodeByClass(className, tr("%1 %2").arg(this->LastVolume->GetName(), what).toStdString()); };
  found->WriteOpenings(vtkMRMLTableNode::SafeDownCast(add("vtkMRMLTableNode", tr("openings"))));
  found->WriteOpenings(vtkMRMLMarkupsFiducialNode::SafeDownCast(add("vtkMRMLMarkupsFiducialNode", tr("openings"))), this->LastVolume);
  found->WriteThickness(vtkMRMLScalarVolumeNode::SafeDownCast(add("vtkMRMLScalarVolumeNode", tr("thickness"))), this->LastVolume);
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::onMakeNodesClicked()
{
  if (!this->makeNodes())
  {
    QMessageBox::warning(this->optionsFrame(), this->title(), this->lastError());
  }
}
