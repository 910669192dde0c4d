#include "SkullEffectsSlicePreview.h"

// Segmentations includes
#include <qSlicerSegmentEditorAbstractEffect.h>
#include <vtkMRMLSegmentationDisplayNode.h>
#include <vtkMRMLSegmentationNode.h>
#include <vtkMRMLSegmentationsDisplayableManager2D.h>
#include <vtkOrientedImageData.h>

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
#include <vtkTransform.h>

// STD includes
#include <algorithm>

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
  /// From the view's pixels to the mask's voxels, where that is linear.
  vtkNew<vtkTransform> PixelToVoxel;
  vtkWeakPointer<vtkMRMLSegmentationsDisplayableManager2D> Manager;
  /// By which the segment itself is hidden while its preview shows; 0 where none is.
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
/// Sets how the mask is resliced for the view. Nothing is modified where nothing changed.
void Place(vtkImageReslice* reslice, vtkTransform* pixelToVoxel, qMRMLSliceWidget* widget, vtkMRMLSegmentationNode* segmentation, vtkOrientedImageData* mask)
{
  vtkMatrix4x4* toWorld = widget->mrmlSliceNode()->GetXYToRAS();
  vtkNew<vtkMatrix4x4> toVoxel;
  mask->GetWorldToImageMatrix(toVoxel);
  vtkMRMLTransformNode* parent = segmentation->GetParentTransformNode();
  if (!parent || parent->IsTransformToWorldLinear())
  {
    vtkNew<vtkMatrix4x4> matrix;
    vtkMRMLTransformNode::GetMatrixTransformBetweenNodes(nullptr, parent, matrix);
    vtkMatrix4x4::Multiply4x4(matrix, toWorld, matrix);
    vtkMatrix4x4::Multiply4x4(toVoxel, matrix, matrix);
    if (!std::equal(matrix->GetData(), matrix->GetData() + 16, pixelToVoxel->GetMatrix()->GetData()))
    {
      pixelToVoxel->SetMatrix(matrix);
    }
    reslice->SetResliceTransform(pixelToVoxel);
    return;
  }
  vtkNew<vtkGeneralTransform> fromWorld;
  vtkMRMLTransformNode::GetTransformBetweenNodes(nullptr, parent, fromWorld);
  vtkNew<vtkGeneralTransform> transform;
  transform->PostMultiply();
  transform->Concatenate(toWorld);
  transform->Concatenate(fromWorld);
  transform->Concatenate(toVoxel);
  reslice->SetResliceTransform(transform);
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
    if (view->Manager && view->RendererTag != 0)
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
  if (!layout || !display || (!selection.Volume && !selection.Mask))
  {
    this->Clear();
    return;
  }
  if (this->Segmentation != selection.Segmentation || this->HiddenSegmentID != selection.HiddenSegmentID)
  {
    this->Clear();
    this->Segmentation = selection.Segmentation;
    this->HiddenSegmentID = selection.HiddenSegmentID;
  }
  if (selection.Mask && (!this->Voxels || this->MaskTime != selection.Mask->GetMTime()))
  {
    this->MaskTime = selection.Mask->GetMTime();
    this->Voxels = vtkSmartPointer<vtkImageData>::New();
    this->Voxels->ShallowCopy(selection.Mask);
    this->Voxels->SetOrigin(0., 0., 0.);
    this->Voxels->SetSpacing(1., 1., 1.);
  }

  for (const QString& name : layout->sliceViewNames())
  {
    qMRMLSliceWidget* widget = layout->sliceWidget(name);
    vtkMRMLSliceLayerLogic* layer = widget && selection.Volume ? LayerOf(widget, selection.Volume) : nullptr;
    auto found = this->Views.find(widget);
    const bool shows = widget && widget->isVisible() && (layer || !selection.Volume) && this->Effect->segmentationDisplayableInView(widget->mrmlSliceNode());
    if (!shows)
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
      const bool hides = !selection.HiddenSegmentID.empty();
      if (!manager || (hides && manager->GetCustomSegmentRendererTag(display->GetID(), selection.HiddenSegmentID) != 0))
      {
        continue; // another editor shows the segment in its own way
      }
      found = this->Views.emplace(widget, std::make_unique<View>()).first;
      this->Effect->addActor2D(widget, found->second->Actor);
      found->second->Manager = manager;
      found->second->RendererTag = hides ? manager->AddCustomSegmentRenderer(display->GetID(), selection.HiddenSegmentID) : 0;
    }

    View& view = *found->second;
    view.Colors->SetTableValue(1, selection.Color[0], selection.Color[1], selection.Color[2], opacity);
    if (layer)
    {
      view.Threshold->SetInputConnection(layer->GetReslice()->GetOutputPort());
      view.Threshold->ThresholdBetween(selection.Lower, selection.Upper);
    }
    if (selection.Mask)
    {
      view.MaskReslice->SetInputData(this->Voxels);
      Place(view.MaskReslice, view.PixelToVoxel, widget, selection.Segmentation, selection.Mask);
      const int* size = widget->mrmlSliceNode()->GetDimensions();
      view.MaskReslice->SetOutputExtent(0, size[0] - 1, 0, size[1] - 1, 0, 0);
      view.MaskToSet->SetInValue(selection.InvertMask ? 0. : 1.);
      view.MaskToSet->SetOutValue(selection.InvertMask ? 1. : 0.);
    }
    vtkImageAlgorithm* last = view.Masked;
    if (!layer || !selection.Mask)
    {
      last = layer ? view.Threshold.Get() : view.MaskToSet.Get();
    }
    view.ColorMapper->SetInputConnection(last->GetOutputPort());
    view.Actor->VisibilityOn();
    widget->sliceView()->scheduleRender();
  }
}
