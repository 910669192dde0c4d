#ifndef SkullEffectsSlicePreview_h
#define SkullEffectsSlicePreview_h

// SegmentationCore includes
#include <vtkOrientedImageData.h>

// VTK includes
#include <vtkNew.h>
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

/// \brief Shows in each slice view what lies between two intensities inside a mask, in the colour of the edited segment.
///
/// Each view reslices by itself, so that the preview costs what the view's pixels cost, and follows it when it moves.
class SkullEffectsSlicePreview
{
public:
  explicit SkullEffectsSlicePreview(qSlicerSegmentEditorAbstractEffect* effect);
  ~SkullEffectsSlicePreview();

  struct Selection
  {
    vtkMRMLScalarVolumeNode* Volume;
    vtkMRMLSegmentationNode* Segmentation;
    std::string SegmentID;
    /// Empty is everywhere.
    std::string MaskSegmentID;
    bool InvertMask;
    double Lower;
    double Upper;
  };

  /// Shows the selection; views that have come or gone since are taken in or left out.
  void Show(const Selection& selection, double opacity);

  /// Shows nothing.
  void Clear();

private:
  struct View;

  void UpdateMask(const Selection& selection);

  qSlicerSegmentEditorAbstractEffect* const Effect;
  std::map<QPointer<qMRMLSliceWidget>, std::unique_ptr<View>> Views;
  vtkWeakPointer<vtkMRMLSegmentationNode> Segmentation;
  std::string SegmentID;
  /// The mask's voxels, in the segmentation's space, and when they were taken.
  vtkNew<vtkOrientedImageData> Mask;
  std::string MaskSegmentID;
  vtkMTimeType MaskTime{ 0 };
};

#endif
