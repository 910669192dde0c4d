// Surface.
#include "cases.h"

using namespace cases;

CASE(the_surface_of_a_cube_is_closed_and_lies_where_the_cube_does)
{
  std::vector<std::uint8_t> mask(8 * 8 * 8);
  for (std::size_t i = 0; i < mask.size(); ++i)
  {
    const auto within = [](std::size_t n) { return n >= 2 && n < 6; };
    mask[i] = within(i % 8) && within(i / 8 % 8) && within(i / 64) ? 255 : 0;
  }
  auto where = grid(8, 8, 8);
  where.spacing_mm = { 0.5, 0.5, 2 };
  where.origin_mm = { 10, 20, 30 };
  const auto mesh = new_engine(2)->surface(bytes(mask), where, default_surface_params(), *new_job());
  const auto report = mesh->report();
  CHECK(report.closed_manifold);
  CHECK(report.components == 1);
  CHECK(report.volume_ml > 0.0316 && report.volume_ml < 0.0324);
  CHECK(mesh->triangles().size() % 3 == 0 && !mesh->triangles().empty());
  const auto points = mesh->points();
  for (std::size_t i = 0; i < points.size(); i += 3)
  {
    CHECK(points[i] > 10.49 && points[i] < 13.01);
    CHECK(points[i + 2] > 31.9 && points[i + 2] < 42.1);
  }
  for (const auto vertex : mesh->triangles())
  {
    CHECK(vertex < points.size() / 3);
  }
}

CASE(an_empty_mask_has_no_surface)
{
  const std::vector<std::uint8_t> mask(8);
  check_message(
    error_of([&] { new_engine(1)->surface(bytes(mask), grid(2, 2, 2), default_surface_params(), *new_job()); }),
    "the mask is empty");
}
