// The logic as C++ uses it: skin, threshold inside it, its surface; cancel, refusal and a panic.

// SkullEffects includes
#include "vtkSkullEffectsSkin.h"
#include "vtkSkullEffectsThreshold.h"
#include "vtkSlicerSkullEffectsLogic.h"

// Segmentations includes
#include <vtkMRMLSegmentationNode.h>
#include <vtkOrientedImageData.h>
#include <vtkSegmentation.h>
#include <vtkSlicerSegmentationsModuleLogic.h>

// MRML includes
#include <vtkMRMLModelNode.h>
#include <vtkMRMLScalarVolumeNode.h>
#include <vtkMRMLScene.h>

// VTK includes
#include <vtkCallbackCommand.h>
#include <vtkCommand.h>
#include <vtkImageData.h>
#include <vtkNew.h>
#include <vtkPolyData.h>

// STD includes
#include <cmath>
#include <iostream>

#define CHECK(condition)                                                                                               \
  do                                                                                                                   \
  {                                                                                                                    \
    if (!(condition))                                                                                                  \
    {                                                                                                                  \
      std::cerr << "line " << __LINE__ << ": " << #condition << ", " << logic->GetErrorMessage() << "\n";              \
      return EXIT_FAILURE;                                                                                             \
    }                                                                                                                  \
  } while (false)

namespace
{
constexpr int SIDE = 48;

//-----------------------------------------------------------------------------
/// A ball of 200 with a core of 300, in noise below 8.
void Draw(vtkImageData* image)
{
  image->SetDimensions(SIDE, SIDE, SIDE);
  image->AllocateScalars(VTK_SHORT, 1);
  auto* voxel = static_cast<short*>(image->GetScalarPointer());
  for (int i = 0; i < SIDE * SIDE * SIDE; ++i)
  {
    const double center = (SIDE - 1) / 2.;
    const double r = std::hypot(i % SIDE - center, i / SIDE % SIDE - center, i / SIDE / SIDE - center);
    voxel[i] = r < 10. ? 300 : (r < 18. ? 200 : static_cast<short>(i * 2654435761U % 8));
  }
}
}

//-----------------------------------------------------------------------------
int vtkSlicerSkullEffectsLogicTest1(int, char*[])
{
  vtkNew<vtkMRMLScene> scene;
  vtkNew<vtkSlicerSegmentationsModuleLogic> segmentations;
  segmentations->SetMRMLScene(scene);
  vtkNew<vtkSlicerSkullEffectsLogic> logic;
  logic->SetMRMLScene(scene);

  vtkNew<vtkImageData> image;
  Draw(image);
  auto* volume = vtkMRMLScalarVolumeNode::SafeDownCast(scene->AddNewNodeByClass("vtkMRMLScalarVolumeNode"));
  volume->SetAndObserveImageData(image);
  volume->SetSpacing(4., 4., 4.);
  auto* segmentation = vtkMRMLSegmentationNode::SafeDownCast(scene->AddNewNodeByClass("vtkMRMLSegmentationNode"));

  vtkNew<vtkSkullEffectsSkin> skin;
  const std::string head = logic->ApplyToNewSegment(skin, volume, segmentation);
  CHECK(head == "Skin");
  CHECK(skin->GetFoundModality() == vtkSkullEffectsSkin::ModalityMR);
  CHECK(std::abs(skin->GetVolumeMl() - 4. / 3. * 3.14159 * std::pow(18. * 4., 3) / 1000.) < 60.);

  vtkNew<vtkSkullEffectsThreshold> threshold;
  threshold->SetMaskSegmentID(head);
  threshold->SetLower(250.);
  const std::string core = logic->ApplyToNewSegment(threshold, volume, segmentation, "Core");
  CHECK(core == "Core" && threshold->GetVoxels() > 4000 && threshold->GetVoxels() < 4400);

  auto* model = vtkMRMLModelNode::SafeDownCast(scene->AddNewNodeByClass("vtkMRMLModelNode"));
  CHECK(logic->MakeSurface(segmentation, core, model));
  CHECK(logic->GetSurfaceClosedManifold() && logic->GetSurfaceComponents() == 1);
  CHECK(std::abs(logic->GetSurfaceVolumeMl() - threshold->GetVolumeMl()) < 0.01 * threshold->GetVolumeMl());
  CHECK(model->GetPolyData()->GetNumberOfPolys() > 1000);

  vtkNew<vtkCallbackCommand> cancel;
  cancel->SetCallback([](vtkObject* caller, unsigned long, void*, void*) { static_cast<vtkSlicerSkullEffectsLogic*>(caller)->Cancel(); });
  const unsigned long tag = logic->AddObserver(vtkCommand::ProgressEvent, cancel);
  CHECK(!logic->Apply(skin, volume, segmentation, core));
  CHECK(logic->GetCancelled() && logic->GetErrorMessage() == "cancelled" && !logic->GetRunning());
  logic->RemoveObserver(tag);

  CHECK(!logic->Apply(skin, nullptr, segmentation, core));
  CHECK(logic->GetErrorMessage() == "no volume is selected: choose the source volume");
  CHECK(!logic->Apply(skin, volume, segmentation, "nothing"));
  CHECK(!logic->Panic() && !logic->GetCancelled());
  CHECK(logic->Apply(skin, volume, segmentation, core));
  return EXIT_SUCCESS;
}
