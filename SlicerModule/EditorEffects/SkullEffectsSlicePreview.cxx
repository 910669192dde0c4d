#include "SkullEffectsSlicePreview.h"

// Segmentations includes
#include <qSlicerSegmentEditorAbstractEffect.h>
#include <vtkMRMLSegmentationDisplayNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkMRMLSegmentationsDisplayableManager2D.h>
#include <vtkSegmentation.h>

// Slicer includes
#include <qMRMLSliceView.h>
#include <qMRMLSliceWidget.h>
#include <qSlicerApplication.h>
#include <qSlicerLayoutManager.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLSliceLayerLogic.h>
#include <vtkMRMLSliceLogic.h>
#include <vtkMRMLSliceNode.h>
#include <vtkMRMLTransformNode.h>

// VTK includes
#include <vtkActor2D.h>
#include <vtkGeneralTransform.h>
#include <vtkImageMapToRGBA.h>
#include <vtkImageMapper.h>
#include <vtkImageMask.h>
#include <vtkImageReslice.h>
#include <vtkImageThreshold.h>
#include <vtkLookupTable.h>
#include <vtkMatrix4x4.h>
#include <vtkSmartPointer.h>

//-----------------------------------------------------------------------------
struct SkullEffectsSlicePreview::View
{
  View()
  {
    this->Colors->SetNumberOfTableValues(2);
    this->Colors->SetTableRange(0., 1.);
    this->Colors->SetTableValue(0, 0., 0., 0., 0.);
    this->Threshold->SetInValue(1.);
    this->Threshold->SetOutValue(0.);
    this->Threshold->SetOutputScalarTypeToUnsignedChar();
    this->MaskReslice->SetInterpolationModeToNearestNeighbor();
    this->MaskReslice->SetOutputOrigin(0., 0., 0.);
    this->MaskReslice->SetOutputSpacing(1., 1., 1.);
    this->MaskReslice->SetBackgroundLevel(0.);
    this->MaskToSet->SetInputConnection(this->MaskReslice->GetOutputPort());
    this->MaskToSet->SetOutputScalarTypeToUnsignedChar();
    this->MaskToSet->ThresholdByUpper(1.);
    this->Masked->SetInputConnection(0, this->Threshold->GetOutputPort());
    this->Masked->SetInputConnection(1, this->MaskToSet->GetOutputPort());
    this->Masked->SetMaskedOutputValue(0.);
    this->ColorMapper->SetOutputFormatToRGBA();
    this->ColorMapper->SetLookupTable(this->Colors);
    this->Mapper->SetInputConnection(this->ColorMapper->GetOutputPort());
    this->Mapper->SetColorWindow(255.);
    this->Mapper->SetColorLevel(128.);
    this->Actor->SetMapper(this->Mapper);
    this->Actor->VisibilityOff();
  }

  vtkNew<vtkImageThreshold> Threshold;
  vtkNew<vtkImageReslice> MaskReslice;
  vtkNew<vtkImageThreshold> MaskToSet;
  vtkNew<vtkImageMask> Masked;
  vtkNew<vtkLookupTable> Colors;
  vtkNew<vtkImageMapToRGBA> ColorMapper;
  vtkNew<vtkImageMapper> Mapper;
  vtkNew<vtkActor2D> Actor;
  vtkWeakPointer<vtkMRMLSegmentationsDisplayableManager2D> Manager;
  /// By which the segment itself is hidden while its preview shows.
  int RendererTag{ 0 };
};

namespace
{
//-----------------------------------------------------------------------------
vtkMRMLSegmentationsDisplayableManager2D* ManagerOf(qMRMLSliceWidget* widget)
{
  return vtkMRMLSegmentationsDisplayableManager2D::SafeDownCast(
    widget->sliceView()->displayableManagerByClassName("vtkMRMLSegmentationsDisplayableManager2D"));
}

//-----------------------------------------------------------------------------
/// The layer of the view that shows the volume, if one does.
vtkMRMLSliceLayerLogic* LayerOf(qMRMLSliceWidget* widget, vtkMRMLScalarVolumeNode* volume)
{
  vtkMRMLSliceLogic* slice = widget->sliceLogic();
  for (vtkMRMLSliceLayerLogic* layer : { slice->GetBackgroundLayer(), slice->GetForegroundLayer() })
  {
    if (layer && layer->GetVolumeNode() == volume)
    {
      return layer;
    }
  }
  return nullptr;
}

//-----------------------------------------------------------------------------
/// From the view's pixels to the mask's voxels.
vtkSmartPointer<vtkGeneralTransform> PixelToVoxel(qMRMLSliceWidget* widget, vtkMRMLSegmentationNode* segmentation, vtkOrientedImageData* mask)
{
  auto transform = vtkSmartPointer<vtkGeneralTransform>::New();
  transform->PostMultiply();
  transform->Concatenate(widget->mrmlSliceNode()->GetXYToRAS());
  vtkNew<vtkGeneralTransform> fromWorld;
  vtkMRMLTransformNode::GetTransformBetweenNodes(nullptr, segmentation->GetParentTransformNode(), fromWorld);
  transform->Concatenate(fromWorld);
  vtkNew<vtkMatrix4x4> toVoxel;
  mask->GetWorldToImageMatrix(toVoxel);
  transform->Concatenate(toVoxel);
  return transform;
}
}

//-----------------------------------------------------------------------------
SkullEffectsSlicePreview::SkullEffectsSlicePreview(qSlicerSegmentEditorAbstractEffect* effect)
  : Effect(effect)
{
}

//-----------------------------------------------------------------------------
SkullEffectsSlicePreview::~SkullEffectsSlicePreview()
{
  this->Clear();
}

//-----------------------------------------------------------------------------
void SkullEffectsSlicePreview::Clear()
{
  for (auto& [widget, view] : this->Views)
  {
    if (!widget)
    {
      continue;
    }
    this->Effect->removeActor2D(widget, view->Actor);
    if (view->Manager)
    {
      view->Manager->RemoveCustomSegmentRenderer(view->RendererTag);
    }
    widget->sliceView()->scheduleRender();
  }
  this->Views.clear();
}

//-----------------------------------------------------------------------------
void SkullEffectsSlicePreview::Show(const Selection& selection, double opacity)
{
  qSlicerApplication* application = qSlicerApplication::application();
  qSlicerLayoutManager* layout = application ? application->layoutManager() : nullptr;
  vtkMRMLSegmentationDisplayNode* display =
    selection.Segmentation ? vtkMRMLSegmentationDisplayNode::SafeDownCast(selection.Segmentation->GetDisplayNode()) : nullptr;
  if (!layout || !display || !selection.Volume || selection.SegmentID.empty())
  {
    this->Clear();
    return;
  }
  if (this->Segmentation != selection.Segmentation || this->SegmentID != selection.SegmentID)
  {
    this->Clear();
    this->Segmentation = selection.Segmentation;
    this->SegmentID = selection.SegmentID;
  }
  this->UpdateMask(selection);

  double color[3];
  display->GetSegmentColor(selection.SegmentID, color);
  for (const QString& name : layout->sliceViewNames())
  {
    qMRMLSliceWidget* widget = layout->sliceWidget(name);
    vtkMRMLSliceLayerLogic* layer = widget ? LayerOf(widget, selection.Volume) : nullptr;
    auto found = this->Views.find(widget);
    if (!layer || !widget->isVisible() || !this->Effect->segmentationDisplayableInView(widget->mrmlSliceNode()))
    {
      if (found != this->Views.end())
      {
        found->second->Actor->VisibilityOff();
      }
      continue;
    }
    if (found == this->Views.end())
    {
      vtkMRMLSegmentationsDisplayableManager2D* manager = ManagerOf(widget);
      if (!manager || manager->GetCustomSegmentRendererTag(display->GetID(), selection.SegmentID) != 0)
      {
        continue; // another editor shows the segment in its own way
      }
      found = this->Views.emplace(widget, std::make_unique<View>()).first;
      this->Effect->addActor2D(widget, found->second->Actor);
      found->second->Manager = manager;
      found->second->RendererTag = manager->AddCustomSegmentRenderer(display->GetID(), selection.SegmentID);
    }

    View& view = *found->second;
    view.Colors->SetTableValue(1, color[0], color[1], color[2], opacity);
    view.Threshold->SetInputConnection(layer->GetReslice()->GetOutputPort());
    view.Threshold->ThresholdBetween(selection.Lower, selection.Upper);
    if (this->MaskSegmentID.empty())
    {
      view.ColorMapper->SetInputConnection(view.Threshold->GetOutputPort());
    }
    else
    {
      // In voxels: the transform holds what the image says of spacing and origin.
      vtkNew<vtkImageData> voxels;
      voxels->ShallowCopy(this->Mask);
      voxels->SetOrigin(0., 0., 0.);
      voxels->SetSpacing(1., 1., 1.);
      view.MaskReslice->SetInputData(voxels);
      view.MaskReslice->SetResliceTransform(PixelToVoxel(widget, selection.Segmentation, this->Mask));
      view.MaskReslice->SetOutputExtent(layer->GetReslice()->GetOutputExtent());
      view.MaskToSet->SetInValue(selection.InvertMask ? 0. : 1.);
      view.MaskToSet->SetOutValue(selection.InvertMask ? 1. : 0.);
      view.ColorMapper->SetInputConnection(view.Masked->GetOutputPort());
    }
    view.Actor->VisibilityOn();
    widget->sliceView()->scheduleRender();
  }
}

//-----------------------------------------------------------------------------
void SkullEffectsSlicePreview::UpdateMask(const Selection& selection)
{
  const vtkMTimeType now = selection.Segmentation->GetSegmentation()->GetMTime();
  if (selection.MaskSegmentID == this->MaskSegmentID && now == this->MaskTime)
  {
    return;
  }
  this->MaskTime = now;
  this->MaskSegmentID = selection.MaskSegmentID;
  if (!this->MaskSegmentID.empty() && !selection.Segmentation->GetBinaryLabelmapRepresentation(this->MaskSegmentID, this->Mask))
  {
    this->MaskSegmentID.clear();
  }
}
