#ifndef SkullEffectsText_h
#define SkullEffectsText_h

// Bridge includes
#include "rust/cxx.h"

// STD includes
#include <string>
#include <vector>

/// Rust's text as C++'s. By pointer and length: std::string has two layouts (the wheels' is the older one), and the
/// bridge may have been compiled for the other.
inline std::string SkullEffectsText(const rust::String& text)
{
  return std::string(text.data(), text.size());
}

inline std::vector<std::string> SkullEffectsText(const rust::Vec<rust::String>& texts)
{
  std::vector<std::string> list;
  for (const rust::String& text : texts)
  {
    list.push_back(SkullEffectsText(text));
  }
  return list;
}

#endif
