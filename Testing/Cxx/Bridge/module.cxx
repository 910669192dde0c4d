#include "skull/bridge.h"

extern "C" __attribute__((visibility("default"))) double run_bridge()
{
  const auto engine = skull::ffi::new_engine(1);
  return engine->threads() + skull::ffi::new_job()->fraction();
}
