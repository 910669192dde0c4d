#ifndef SkullEffectsSlicePreview_h
#define SkullEffectsSlicePreview_h

// VTK includes
#include <vtkImageData.h>
#include <vtkSmartPointer.h>
#include <vtkWeakPointer.h>

// Qt includes
#include <QPointer>

// STD includes
#include <map>
#include <memory>
#include <string>

class qMRMLSliceWidget;
class qSlicerSegmentEditorAbstractEffect;
class vtkMRMLScalarVolumeNode;
class vtkMRMLSegmentationNode;
class vtkOrientedImageData;

/// \brief Shows in each slice view a mask, or what lies between two intensities inside one.
///
/// Each view reslices by itself, so that the preview costs what the view's pixels cost, and follows it when it moves.
class SkullEffectsSlicePreview
{
public:
  explicit SkullEffectsSlicePreview(qSlicerSegmentEditorAbstractEffect* effect);
  ~SkullEffectsSlicePreview();

  struct Selection
  {
    vtkMRMLSegmentationNode* Segmentation;
    /// The segment that is hidden meanwhile; empty hides none.
    std::string HiddenSegmentID;
    double Color[3];
    /// In the segmentation's space; null is everywhere. It is shared, not copied.
    vtkOrientedImageData* Mask;
    bool InvertMask;
    /// Null selects all of the mask.
    vtkMRMLScalarVolumeNode* Volume;
    double Lower;
    double Upper;
  };

  /// Shows the selection; views that have come or gone since are taken in or left out.
  void Show(const Selection& selection, double opacity);

  /// Shows nothing.
  void Clear();

private:
  struct View;

  qSlicerSegmentEditorAbstractEffect* const Effect;
  std::map<QPointer<qMRMLSliceWidget>, std::unique_ptr<View>> Views;
  vtkWeakPointer<vtkMRMLSegmentationNode> Segmentation;
  std::string HiddenSegmentID;
  /// The mask's voxels, counted in voxels: the views' transforms hold where they are.
  vtkSmartPointer<vtkImageData> Voxels;
  vtkMTimeType MaskTime{ 0 };
};

#endif
