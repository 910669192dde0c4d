// Threshold: every scalar type, and buffers that are not what they should be.
#include "cases.h"

using namespace cases;

namespace
{
const std::vector<std::uint8_t> MASK{ 1, 1, 1, 1, 0, 1 };

ThresholdParams between(double lower, double upper)
{
  auto params = threshold_params(Preset::None);
  params.lower = { BoundKind::At, lower, "" };
  params.upper = { BoundKind::At, upper, "" };
  return params;
}

template <typename T> void check_scalar(Scalar scalar)
{
  const std::vector<T> image{ 0, 5, 10, 15, 20, 25 };
  std::vector<std::uint8_t> out(6, 9);
  const auto report = new_engine(2)->threshold(
    Image{ bytes(image), scalar, grid(3, 2, 1) }, bytes(MASK), between(4.5, 20), writable(out), *new_job());
  CHECK(report.voxels == 3);
  CHECK((out == std::vector<std::uint8_t>{ 0, 1, 1, 1, 0, 0 }));
}

/// The message for an image of four floats that is `length` bytes at `offset`, with a mask of `mask_length`.
std::string refusal(std::size_t offset, std::size_t length, Scalar scalar, std::size_t mask_length)
{
  alignas(8) static const std::uint8_t raw[32] = {};
  static std::vector<std::uint8_t> mask(8, 1);
  std::vector<std::uint8_t> out(4);
  return error_of([&] {
    new_engine(1)->threshold(Image{ { raw + offset, length }, scalar, grid(2, 2, 1) }, { mask.data(), mask_length },
      between(0, 1), writable(out), *new_job());
  });
}
}

CASE(every_scalar_type_selects_the_same)
{
  check_scalar<std::int8_t>(Scalar::I8);
  check_scalar<std::uint8_t>(Scalar::U8);
  check_scalar<std::int16_t>(Scalar::I16);
  check_scalar<std::uint16_t>(Scalar::U16);
  check_scalar<std::int32_t>(Scalar::I32);
  check_scalar<std::uint32_t>(Scalar::U32);
  check_scalar<std::int64_t>(Scalar::I64);
  check_scalar<std::uint64_t>(Scalar::U64);
  check_scalar<float>(Scalar::F32);
  check_scalar<double>(Scalar::F64);
}

CASE(a_histogram_counts_the_mask_or_what_is_outside)
{
  const std::vector<float> image{ 0, 5, 10, 15, 20, 25 };
  const auto histogram = [&](bool invert, std::size_t bins) {
    return new_engine(1)->histogram(Image{ bytes(image), Scalar::F32, grid(3, 2, 1) }, bytes(MASK), invert, bins, *new_job());
  };
  const auto inside = histogram(false, 5);
  CHECK(inside.lower == 0 && inside.width > 5 && inside.width < 5.1);
  CHECK((std::vector<std::uint64_t>(inside.counts.begin(), inside.counts.end()) == std::vector<std::uint64_t>{ 2, 1, 1, 0, 1 }));
  check_message(error_of([&] { histogram(true, 5); }), "every voxel in the mask has the same value, 20: there is nothing to separate");
  check_message(error_of([&] { histogram(false, 1); }), "the number of bins is 1, but must be 2 to 65536");
}

CASE(an_image_of_the_wrong_length_is_refused)
{
  check_message(refusal(0, 12, Scalar::F32, 4), "the image has 12 bytes but its grid needs 16");
  check_message(refusal(0, 16, Scalar::U8, 4), "the image has 16 bytes but its grid needs 4");
}

CASE(a_mask_of_the_wrong_length_is_refused)
{
  check_message(refusal(0, 16, Scalar::F32, 3), "the mask has 3 bytes but its grid needs 4");
}

CASE(a_misaligned_image_is_refused)
{
  check_message(refusal(1, 16, Scalar::F32, 4), "the image is not aligned for its voxel type");
}

CASE(an_unknown_scalar_is_refused)
{
  check_message(refusal(0, 16, static_cast<Scalar>(77), 4), "unknown voxel type 77");
}

CASE(overlapping_buffers_are_refused)
{
  std::vector<std::uint8_t> memory(10, 1);
  const auto run = [&](std::size_t image, std::size_t mask, std::size_t out) {
    return error_of([&] {
      new_engine(1)->threshold(Image{ { memory.data() + image, 4 }, Scalar::U8, grid(2, 2, 1) }, { memory.data() + mask, 4 },
        between(0, 1), { memory.data() + out, 4 }, *new_job());
    });
  };
  check_message(run(0, 5, 0), "the output overlaps the image: give it memory of its own");
  check_message(run(0, 4, 3), "the output overlaps the image: give it memory of its own");
  check_message(run(0, 5, 6), "the output overlaps the mask: give it memory of its own");
  CHECK(memory == std::vector<std::uint8_t>(10, 1));
}

CASE(no_bytes_are_no_mask)
{
  const std::vector<std::int16_t> image{ -5, 0, 5, 10 };
  std::vector<std::uint8_t> out(4);
  const auto report = new_engine(1)->threshold(
    Image{ bytes(image), Scalar::I16, grid(4, 1, 1) }, {}, between(-1, 7), writable(out), *new_job());
  CHECK(report.voxels == 2);
  CHECK(report.lower == -1);
  CHECK(report.lower_method.empty());
}

CASE(methods_go_by_name)
{
  const std::vector<std::uint8_t> image{ 1, 2, 2, 200, 201, 201 };
  std::vector<std::uint8_t> out(6);
  auto params = threshold_params(Preset::None);
  const auto run = [&] {
    return new_engine(1)->threshold(
      Image{ bytes(image), Scalar::U8, grid(6, 1, 1) }, {}, params, writable(out), *new_job());
  };
  for (const auto& method : threshold_methods())
  {
    params.lower = { BoundKind::Auto, 0, method };
    try
    {
      const auto report = run();
      CHECK(report.lower_method == method);
      CHECK(report.lower >= 1 && report.lower <= 201);
    }
    catch (const rust::Error& error)
    {
      CHECK(std::string(error.what()).find("choose another method") != std::string::npos);
    }
  }
  params.lower = { BoundKind::Auto, 0, "Otsu?" };
  check_message(error_of(run), "there is no threshold method \"Otsu?\"");
}

CASE(the_preset_comes_with_its_caveat)
{
  const auto params = threshold_params(Preset::MrSkull);
  CHECK(params.upper.kind == BoundKind::Auto && params.upper.method == "Otsu");
  CHECK(params.min_depth_mm == 2 && params.bias_sigma_mm > 0);
  check_message(error_of([] { threshold_params(static_cast<Preset>(9)); }), "unknown preset 9");
}

CASE(a_grid_that_cannot_be_is_refused)
{
  std::vector<std::uint8_t> image(4), out(4);
  const auto run = [&](const Grid& grid) {
    return error_of([&] {
      new_engine(1)->threshold(Image{ bytes(image), Scalar::U8, grid }, {}, between(0, 1), writable(out), *new_job());
    });
  };
  check_message(run(grid(0, 2, 2)), "a grid of [0, 2, 2] voxels (x, y, z) cannot be processed");
  auto flat = grid(2, 2, 1);
  flat.axes = { 1, 0, 0, 1, 0, 0, 0, 0, 1 };
  CHECK(run(flat).find("singular") != std::string::npos);
  auto thin = grid(2, 2, 1);
  thin.spacing_mm[2] = 0;
  CHECK(run(thin).find("positive and finite") != std::string::npos);
}
