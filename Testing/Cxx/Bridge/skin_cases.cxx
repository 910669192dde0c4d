// Skin.
#include "cases.h"

using namespace cases;

CASE(the_head_of_a_ball_is_the_ball)
{
  constexpr std::size_t side = 48;
  auto image = ball(side);
  auto where = grid(side, side, side);
  where.spacing_mm = { 4, 4, 4 };
  std::vector<std::uint8_t> out(image.size(), 9);
  const auto job = new_job();
  const auto report =
    new_engine(2)->skin(Image{ bytes(image), Scalar::F32, where }, default_skin_params(), writable(out), *job);
  CHECK(report.modality == Modality::Mr);
  CHECK(report.touched_faces.empty());
  CHECK(job->fraction() > 0.99);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < image.size(); ++i)
  {
    wrong += out[i] != (image[i] == 100.F);
  }
  CHECK(wrong < image.size() / 100);
}

CASE(the_kernels_reason_comes_through)
{
  const std::vector<std::int16_t> image(27, 5);
  std::vector<std::uint8_t> out(27);
  auto params = default_skin_params();
  const auto run = [&] {
    return error_of([&] {
      new_engine(1)->skin(Image{ bytes(image), Scalar::I16, grid(3, 3, 3) }, params, writable(out), *new_job());
    });
  };
  check_message(run(), "every voxel of the image has the same value, 5: there is nothing to separate");
  params.opening_mm = -1;
  check_message(run(), "opening_mm is -1, but must be 0 to 100");
  params.modality = static_cast<Modality>(5);
  check_message(run(), "unknown modality 5");
}
