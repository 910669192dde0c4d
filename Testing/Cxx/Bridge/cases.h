// What the cases share: their list, checks, and small images.
#pragma once

#include "rust/cxx.h"
#include "skull/bridge.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace cases
{
using namespace skull::ffi;

struct Case
{
  const char* name;
  std::function<void()> run;
};
std::vector<Case>& all();

/// CASE(name) { ... } adds a case; it fails by an exception.
struct Registration
{
  Registration(const char* name, std::function<void()> run) { all().push_back({ name, std::move(run) }); }
};
#define CASE(name)                                                                                                     \
  static void name();                                                                                                  \
  static const cases::Registration name##_registration(#name, name);                                                   \
  static void name()

#define CHECK(condition)                                                                                               \
  do                                                                                                                   \
  {                                                                                                                    \
    if (!(condition))                                                                                                  \
    {                                                                                                                  \
      throw std::runtime_error(std::string(__FILE__) + ":" + std::to_string(__LINE__) + ": " + #condition);            \
    }                                                                                                                  \
  } while (false)

/// The message of the error that `call` ends with.
template <typename Call> std::string error_of(Call&& call)
{
  try
  {
    call();
  }
  catch (const rust::Error& error)
  {
    return error.what();
  }
  throw std::runtime_error("no error");
}

inline void check_message(const std::string& got, const std::string& expected)
{
  if (got != expected)
  {
    throw std::runtime_error("the message is \"" + got + "\", not \"" + expected + "\"");
  }
}

inline Grid grid(std::size_t x, std::size_t y, std::size_t z)
{
  return { { x, y, z }, { 1, 1, 1 }, { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, { 0, 0, 0 } };
}

template <typename T> rust::Slice<const std::uint8_t> bytes(const std::vector<T>& voxels)
{
  return { reinterpret_cast<const std::uint8_t*>(voxels.data()), voxels.size() * sizeof(T) };
}

inline rust::Slice<std::uint8_t> writable(std::vector<std::uint8_t>& voxels)
{
  return { voxels.data(), voxels.size() };
}

/// A ball of 100 and a bright rim, in background of 0; `side` voxels wide.
std::vector<float> ball(std::size_t side);
}
