// Thin bone.
#include "cases.h"

#include <cmath>

using namespace cases;

namespace
{
constexpr std::size_t SIDE = 40;

/// Air, a plate of bone across soft tissue that is a voxel thick with a window of half its density, HU.
std::vector<float> plate()
{
  std::vector<float> image(SIDE * SIDE * SIDE, 40.F);
  for (std::size_t i = 0; i < image.size(); ++i)
  {
    const std::size_t x = i % SIDE;
    const std::size_t y = i / SIDE % SIDE;
    const std::size_t z = i / SIDE / SIDE;
    if (z < 5)
    {
      image[i] = -1000.F;
    }
    else if (z >= 19 && z < 22)
    {
      const bool window = x > 14 && x < 26 && y > 14 && y < 26;
      image[i] = window ? (z == 20 ? 290.F : 40.F) : 1400.F;
    }
  }
  return image;
}

ThinBoneReport run(const std::vector<float>& image, const std::vector<std::uint8_t>& bone, const ThinBoneParams& params,
  std::vector<std::uint8_t>& added, std::vector<float>& thickness)
{
  auto where = grid(SIDE, SIDE, SIDE);
  where.spacing_mm = { 0.5, 0.5, 0.5 };
  return new_engine(2)->thin_bone(
    Image{ bytes(image), Scalar::F32, where }, bytes(bone), params, writable(added), { thickness.data(), thickness.size() }, *new_job());
}

std::vector<std::uint8_t> thick_bone(const std::vector<float>& image)
{
  std::vector<std::uint8_t> bone;
  for (const float hu : image)
  {
    bone.push_back(hu > 300.F);
  }
  return bone;
}
}

CASE(bone_is_added_outside_of_the_base_and_has_a_thickness)
{
  const auto image = plate();
  const auto bone = thick_bone(image);
  auto params = default_thin_bone_params();
  CHECK(params.measure_blur && params.thinnest_mm > 0 && params.decisions.empty());
  params.measure_blur = false;
  params.fwhm_mm = { 0.8, 0.8 };
  std::vector<std::uint8_t> added(image.size(), 9), alone(image.size());
  std::vector<float> thickness(image.size(), -1.F), none;
  const auto report = run(image, bone, params, added, thickness);
  CHECK(std::abs(report.fwhm_mm[0] - 0.8) < 1e-6);
  for (std::size_t i = 0; i < image.size(); ++i)
  {
    CHECK(added[i] <= 1 && !(added[i] && bone[i]) && thickness[i] >= 0.F);
  }
  run(image, bone, params, alone, none);
  CHECK(alone == added);
}

CASE(thin_bone_needs_base_bone_and_sound_parameters)
{
  const auto image = plate();
  std::vector<std::uint8_t> bone(image.size()), added(image.size());
  std::vector<float> none;
  auto params = default_thin_bone_params();
  check_message(error_of([&] { run(image, bone, params, added, none); }), "the base bone is empty");
  params.thinnest_mm = 0;
  check_message(error_of([&] { run(image, bone, params, added, none); }), "thinnest_mm is 0, but must be positive and finite");
  params = default_thin_bone_params();
  params.decisions.push_back({ { 0, 0, 0 }, static_cast<Verdict>(7) });
  check_message(error_of([&] { run(image, bone, params, added, none); }), "unknown verdict 7");
}

CASE(a_region_holds_all_that_is_added)
{
  const auto image = plate();
  const auto bone = thick_bone(image);
  auto params = default_thin_bone_params();
  CHECK(params.whole);
  params.measure_blur = false;
  params.fwhm_mm = { 0.8, 0.8 };
  params.whole = false;
  params.roi_mm = { 0, 9.9, 0, 20, 0, 20 };
  std::vector<std::uint8_t> added(image.size(), 9);
  std::vector<float> none;
  const auto report = run(image, bone, params, added, none);
  for (std::size_t i = 0; i < image.size(); ++i)
  {
    CHECK(added[i] == 0 || (added[i] == 1 && i % SIDE < 20));
  }
  for (const auto& opening : report.openings)
  {
    for (std::size_t i = 0; i < opening.voxels.size(); i += 3)
    {
      const std::size_t voxel = opening.voxels[i] + SIDE * (opening.voxels[i + 1] + SIDE * opening.voxels[i + 2]);
      CHECK(!bone[voxel] && (opening.verdict != Verdict::Filled || added[voxel] || opening.voxels[i] >= 20));
    }
  }
  params.roi_mm = { 800, 900, 0, 20, 0, 20 };
  check_message(error_of([&] { run(image, bone, params, added, none); }), "the region of interest is empty");
}

CASE(the_thickness_may_not_overlap_the_mask)
{
  const auto image = plate();
  const auto bone = thick_bone(image);
  std::vector<float> memory(image.size());
  check_message(error_of([&] {
    new_engine(1)->thin_bone(Image{ bytes(image), Scalar::F32, grid(SIDE, SIDE, SIDE) }, bytes(bone), default_thin_bone_params(),
      { reinterpret_cast<std::uint8_t*>(memory.data()), memory.size() }, { memory.data(), memory.size() }, *new_job());
  }),
    "the output overlaps the other output: give it memory of its own");
}
