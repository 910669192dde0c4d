#ifndef SkullEffectsVoxels_h
#define SkullEffectsVoxels_h

// Bridge includes
#include "rust/cxx.h"
#include "skull/bridge.h"

// VTK includes
class vtkImageData;
class vtkOrientedImageData;

/// The one place where a VTK pointer becomes a slice for Rust. Each function throws std::invalid_argument, with a
/// message for the user, where the image is not what kernels take.
namespace SkullEffectsVoxels
{
/// Throws unless the image has one component of a number type in each voxel, and at least one voxel.
void Check(vtkImageData* image);

/// Where the image's voxels lie, in the space of its image-to-world matrix.
skull::ffi::Grid Grid(vtkOrientedImageData* image);

/// The image's voxels, which stay its own.
skull::ffi::Image View(vtkOrientedImageData* image);

/// The bytes of an image of unsigned char.
rust::Slice<const uint8_t> Mask(vtkOrientedImageData* image);
rust::Slice<uint8_t> WritableMask(vtkOrientedImageData* image);
}

#endif
