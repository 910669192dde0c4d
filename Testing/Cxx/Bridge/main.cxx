// Runs the cases, or those whose name holds the argument, and says so as a Rust test binary does.
#include "cases.h"

#include <cstdio>

namespace cases
{
std::vector<Case>& all()
{
  static std::vector<Case> list;
  return list;
}

std::vector<float> ball(std::size_t side)
{
  std::vector<float> image;
  image.reserve(side * side * side);
  const double center = (static_cast<double>(side) - 1) / 2;
  const double radius = 0.4 * static_cast<double>(side);
  const auto square = [center](std::size_t i) { return (static_cast<double>(i) - center) * (static_cast<double>(i) - center); };
  for (std::size_t i = 0; i < side * side * side; ++i)
  {
    const double r2 = square(i % side) + square(i / side % side) + square(i / side / side);
    // Some noise below, so that there is a background to measure.
    image.push_back(r2 <= radius * radius ? 100.F : static_cast<float>(i * 2654435761U % 7));
  }
  return image;
}
}

int main(int argc, char** argv)
{
  const std::string filter = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
  int passed = 0;
  int failed = 0;
  for (const auto& test : cases::all())
  {
    if (std::string(test.name).find(filter) == std::string::npos)
    {
      continue;
    }
    std::string message = "an exception of unknown type";
    bool good = false;
    try
    {
      test.run();
      good = true;
    }
    catch (const std::exception& error)
    {
      message = error.what();
    }
    catch (...)
    {
    }
    std::printf("test %s ... %s\n", test.name, good ? "ok" : ("FAILED\n" + message).c_str());
    ++(good ? passed : failed);
  }
  const bool good = failed == 0 && passed > 0;
  std::printf("\ntest result: %s. %d passed; %d failed; 0 ignored\n", good ? "ok" : "FAILED", passed, failed);
  return good ? 0 : 1;
}
