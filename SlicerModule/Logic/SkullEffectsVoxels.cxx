#include "SkullEffectsVoxels.h"

// SegmentationCore includes
#include <vtkOrientedImageData.h>

// VTK includes
#include <vtkDataArray.h>
#include <vtkMatrix4x4.h>
#include <vtkNew.h>
#include <vtkPointData.h>

// STD includes
#include <stdexcept>
#include <string>
#include <type_traits>

namespace
{
using skull::ffi::Scalar;

//-----------------------------------------------------------------------------
template <typename T>
Scalar ScalarOf()
{
  if (std::is_floating_point_v<T>)
  {
    return sizeof(T) == 4 ? Scalar::F32 : Scalar::F64;
  }
  switch (sizeof(T))
  {
    case 1: return std::is_signed_v<T> ? Scalar::I8 : Scalar::U8;
    case 2: return std::is_signed_v<T> ? Scalar::I16 : Scalar::U16;
    case 4: return std::is_signed_v<T> ? Scalar::I32 : Scalar::U32;
    default: return std::is_signed_v<T> ? Scalar::I64 : Scalar::U64;
  }
}

//-----------------------------------------------------------------------------
Scalar ScalarOf(vtkImageData* image)
{
  switch (image->GetScalarType())
  {
    vtkTemplateMacro(return ScalarOf<VTK_TT>());
  }
  throw std::invalid_argument(std::string("the volume's voxels are of type ") + image->GetScalarTypeAsString()
                              + ": cast the volume to a number type first (module Cast Scalar Volume)");
}

//-----------------------------------------------------------------------------
size_t NumberOfBytes(vtkImageData* image)
{
  return static_cast<size_t>(image->GetNumberOfPoints()) * image->GetScalarSize();
}
}

//-----------------------------------------------------------------------------
void SkullEffectsVoxels::Check(vtkImageData* image)
{
  if (!image || image->GetNumberOfPoints() == 0 || !image->GetPointData()->GetScalars())
  {
    throw std::invalid_argument("the volume has no voxels: load an image, or choose another volume");
  }
  const int components = image->GetNumberOfScalarComponents();
  if (components != 1)
  {
    throw std::invalid_argument("the volume has " + std::to_string(components)
                                + " components in each voxel: make a scalar volume of it first (module Vector to Scalar Volume)");
  }
  vtkDataArray* scalars = image->GetPointData()->GetScalars();
  if (scalars->GetNumberOfTuples() != image->GetNumberOfPoints() || !scalars->HasStandardMemoryLayout())
  {
    throw std::invalid_argument("the volume's voxels do not fill its extent: reload or resample the volume");
  }
  ScalarOf(image);
}

//-----------------------------------------------------------------------------
skull::ffi::Grid SkullEffectsVoxels::Grid(vtkOrientedImageData* image)
{
  skull::ffi::Grid grid;
  vtkNew<vtkMatrix4x4> toWorld;
  image->GetImageToWorldMatrix(toWorld);
  double directions[3][3];
  image->GetDirections(directions);
  const double* spacing = image->GetSpacing();
  const int* dimensions = image->GetDimensions();
  const int* extent = image->GetExtent();
  const double first[4] = { double(extent[0]), double(extent[2]), double(extent[4]), 1. };
  double origin[4];
  toWorld->MultiplyPoint(first, origin);
  for (int axis = 0; axis < 3; ++axis)
  {
    grid.size[axis] = static_cast<size_t>(dimensions[axis]);
    grid.spacing_mm[axis] = spacing[axis];
    grid.origin_mm[axis] = origin[axis];
    for (int r = 0; r < 3; ++r)
    {
      grid.axes[3 * axis + r] = directions[r][axis];
    }
  }
  return grid;
}

//-----------------------------------------------------------------------------
skull::ffi::Image SkullEffectsVoxels::View(vtkOrientedImageData* image)
{
  SkullEffectsVoxels::Check(image);
  const auto* first = static_cast<const uint8_t*>(image->GetPointData()->GetScalars()->GetVoidPointer(0));
  return { { first, NumberOfBytes(image) }, ScalarOf(image), SkullEffectsVoxels::Grid(image) };
}

//-----------------------------------------------------------------------------
rust::Slice<const uint8_t> SkullEffectsVoxels::Mask(vtkOrientedImageData* image)
{
  const auto bytes = SkullEffectsVoxels::WritableMask(image);
  return { bytes.data(), bytes.size() };
}

//-----------------------------------------------------------------------------
rust::Slice<uint8_t> SkullEffectsVoxels::WritableMask(vtkOrientedImageData* image)
{
  SkullEffectsVoxels::Check(image);
  if (image->GetScalarType() != VTK_UNSIGNED_CHAR)
  {
    throw std::invalid_argument(std::string("a mask of type ") + image->GetScalarTypeAsString() + " is not one of unsigned char");
  }
  return { static_cast<uint8_t*>(image->GetPointData()->GetScalars()->GetVoidPointer(0)), NumberOfBytes(image) };
}
