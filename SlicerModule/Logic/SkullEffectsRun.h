#ifndef SkullEffectsRun_h
#define SkullEffectsRun_h

// Bridge includes
#include "rust/cxx.h"
#include "skull/bridge.h"

/// What an operation works on. Everything is borrowed, and outlives the operation's run.
struct SkullEffectsRun
{
  const skull::ffi::Engine& Engine;
  const skull::ffi::Image& Image;
  /// On the image's grid; empty where there is no mask.
  rust::Slice<const uint8_t> Mask;
  /// On the image's grid.
  rust::Slice<uint8_t> Output;
  const skull::ffi::Job& Job;
};

#endif
