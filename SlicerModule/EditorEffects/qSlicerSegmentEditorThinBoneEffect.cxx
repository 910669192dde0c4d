#include "qSlicerSegmentEditorThinBoneEffect.h"

// SkullEffects includes
#include "vtkSkullEffectsThinBone.h"
#include "vtkSlicerSkullEffectsLogic.h"

// Segmentations includes
#include <vtkMRMLSegmentEditorNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkOrientedImageData.h>
#include <vtkSegmentation.h>

// MRML includes
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLSliceNode.h>
#include <vtkMRMLTransformNode.h>

// VTK includes
#include <vtkGeneralTransform.h>
#include <vtkNew.h>

// Qt includes
#include <QFrame>
#include <QHeaderView>
#include <QIcon>
#include <QMessageBox>
#include <QPushButton>
#include <QTableWidget>

// STD includes
#include <algorithm>

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
                  defaults->GetFwhmInPlaneMm());
  this->addLength("FwhmThroughPlaneMm",
                  tr("Blur across slices:"),
                  tr("The scanner's full width at half maximum; 0 measures it on the skin."),
                  20.,
                  defaults->GetFwhmThroughPlaneMm());
  this->addApply();

  this->Openings = new QTableWidget(0, 3);
  this->Openings->setObjectName("SkullEffectsOpenings");
  this->Openings->setHorizontalHeaderLabels({ tr("Verdict"), tr("Diameter (mm)"), tr("Decided by") });
  this->Openings->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
  this->Openings->setEditTriggers(QAbstractItemView::NoEditTriggers);
  this->Openings->setSelectionBehavior(QAbstractItemView::SelectRows);
  this->Openings->setToolTip(tr("Click to go to the opening, double-click to turn its verdict."));
  this->addOptionsWidget(this->Openings);
  QObject::connect(this->Openings, &QTableWidget::cellClicked, this, [this](int row, int) { this->onOpeningClicked(row); });
  QObject::connect(this->Openings, &QTableWidget::cellDoubleClicked, this, [this](int row, int) { this->onOpeningDoubleClicked(row); });

  auto* merge = new QPushButton(tr("Merge into bone"));
  merge->setToolTip(tr("Add what was put back to the selected segment."));
  this->addOptionsWidget(merge);
  QObject::connect(merge, SIGNAL(clicked()), this, SLOT(onMergeClicked()));
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
  for (const Decision& decision : this->Decisions)
  {
    thinBone->AddDecision(decision.Center[0], decision.Center[1], decision.Center[2], decision.Verdict);
  }
  return thinBone;
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorThinBoneEffect::write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask)
{
  vtkMRMLSegmentationNode* segmentation = this->parameterSetNode()->GetSegmentationNode();
  this->saveStateForUndo();
  if (this->AddedSegmentID.empty() || segmentation->GetSegmentation()->GetSegmentIndex(this->AddedSegmentID) < 0)
  {
    this->AddedSegmentID = vtkSlicerSkullEffectsLogic::AddSegment(segmentation, operation->GetDefaultSegmentName());
  }
  this->modifySegmentByLabelmap(segmentation, this->AddedSegmentID.c_str(), mask, ModificationModeSet);
  this->Last = operation;
  this->showOpenings();
  return true;
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::showOpenings()
{
  auto* found = vtkSkullEffectsThinBone::SafeDownCast(this->Last);
  if (!this->Openings || !found)
  {
    return;
  }
  const QString verdicts[] = { tr("Filled"), tr("Open"), tr("Undecided") };
  this->Openings->setRowCount(found->GetNumberOfOpenings());
  for (int row = 0; row < found->GetNumberOfOpenings(); ++row)
  {
    this->Openings->setItem(row, 0, new QTableWidgetItem(verdicts[found->GetOpeningVerdict(row)]));
    this->Openings->setItem(row, 1, new QTableWidgetItem(QString::number(found->GetOpeningDiameterMm(row), 'f', 1)));
    this->Openings->setItem(row, 2, new QTableWidgetItem(found->GetOpeningDecided(row) ? tr("You") : tr("Scan")));
  }
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::onOpeningClicked(int row)
{
  auto* found = vtkSkullEffectsThinBone::SafeDownCast(this->Last);
  vtkMRMLScalarVolumeNode* volume = this->parameterSetNode() ? this->parameterSetNode()->GetSourceVolumeNode() : nullptr;
  if (!found || !volume || !this->scene())
  {
    return;
  }
  double center[3] = { 0., 0., 0. };
  found->GetOpeningCenter(row, center);
  vtkNew<vtkGeneralTransform> toWorld;
  vtkMRMLTransformNode::GetTransformBetweenNodes(volume->GetParentTransformNode(), nullptr, toWorld);
  double place[3];
  toWorld->TransformPoint(center, place);
  vtkMRMLSliceNode::JumpAllSlices(this->scene(), place[0], place[1], place[2], vtkMRMLSliceNode::CenteredJumpSlice);
}

//-----------------------------------------------------------------------------
void qSlicerSegmentEditorThinBoneEffect::onOpeningDoubleClicked(int row)
{
  auto* found = vtkSkullEffectsThinBone::SafeDownCast(this->Last);
  if (!found)
  {
    return;
  }
  Decision decision{ { 0., 0., 0. }, vtkSkullEffectsThinBone::Filled };
  found->GetOpeningCenter(row, decision.Center);
  if (found->GetOpeningVerdict(row) == vtkSkullEffectsThinBone::Filled)
  {
    decision.Verdict = vtkSkullEffectsThinBone::Open;
  }
  // The last word on a place counts.
  this->Decisions.erase(std::remove_if(this->Decisions.begin(),
                                       this->Decisions.end(),
                                       [&](const Decision& other) { return std::equal(other.Center, other.Center + 3, decision.Center); }),
                        this->Decisions.end());
  this->Decisions.append(decision);
  this->onApplyClicked();
}

//-----------------------------------------------------------------------------
bool qSlicerSegmentEditorThinBoneEffect::merge()
{
  vtkMRMLSegmentEditorNode* editor = this->parameterSetNode();
  vtkMRMLSegmentationNode* segmentation = editor ? editor->GetSegmentationNode() : nullptr;
  const std::string bone = editor && editor->GetSelectedSegmentID() ? editor->GetSelectedSegmentID() : "";
  vtkNew<vtkOrientedImageData> added;
  if (!segmentation || this->AddedSegmentID.empty() || bone.empty() || bone == this->AddedSegmentID
      || !segmentation->GetBinaryLabelmapRepresentation(this->AddedSegmentID, added))
  {
    this->setLastError(tr("There is nothing to merge: apply first, with the bone's segment selected."));
    return false;
  }
  this->saveStateForUndo();
  this->modifySegmentByLabelmap(segmentation, bone.c_str(), added, ModificationModeAdd);
  segmentation->GetSegmentation()->RemoveSegment(this->AddedSegmentID);
  this->AddedSegmentID.clear();
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
