// Panics, cancels, and several jobs at once.
#include "cases.h"

#include <atomic>
#include <thread>

using namespace cases;

namespace
{
constexpr std::size_t SIDE = 96;

std::vector<std::uint8_t> head(const Engine& engine, const std::vector<float>& image, const Job& job)
{
  std::vector<std::uint8_t> out(image.size());
  engine.skin(Image{ bytes(image), Scalar::F32, grid(SIDE, SIDE, SIDE) }, default_skin_params(), writable(out), job);
  return out;
}
}

CASE(a_panic_is_an_exception_and_the_engine_lives_on)
{
  const auto engine = new_engine(2);
  for (int i = 0; i < 3; ++i)
  {
    check_message(error_of([&] { engine->panic_on_a_worker(); }),
      "internal error, please report it: this panic was asked for");
  }
  CHECK(!head(*engine, ball(SIDE), *new_job()).empty());
}

CASE(another_thread_can_cancel)
{
  const auto image = ball(SIDE);
  const auto engine = new_engine(2);
  const auto job = new_job();
  std::atomic<bool> done{ false };
  std::string message;
  std::thread worker([&] {
    // Again and again: a single run may be over before the watcher wakes.
    while (message.empty())
    {
      try
      {
        head(*engine, image, *job);
      }
      catch (const rust::Error& error)
      {
        message = error.what();
      }
    }
    done = true;
  });
  while (job->fraction() == 0)
  {
    std::this_thread::yield();
  }
  job->cancel();
  worker.join();
  CHECK(done && job->is_cancelled());
  check_message(message, "cancelled");
}

CASE(a_job_that_was_cancelled_before_it_started_does_nothing)
{
  const auto job = new_job();
  job->cancel();
  check_message(error_of([&] { head(*new_engine(1), ball(SIDE), *job); }), "cancelled");
}

CASE(two_jobs_at_once_do_not_touch_each_other)
{
  const auto image = ball(SIDE);
  const auto engine = new_engine(2);
  const auto alone = head(*engine, image, *new_job());
  const auto stopped = new_job();
  std::vector<std::uint8_t> first, second;
  std::thread other([&] { first = head(*engine, image, *new_job()); });
  std::thread cancelled([&] {
    stopped->cancel();
    error_of([&] { head(*engine, image, *stopped); });
  });
  second = head(*engine, image, *new_job());
  other.join();
  cancelled.join();
  CHECK(first == alone);
  CHECK(second == alone);
}

CASE(the_number_of_threads_is_the_callers_and_changes_nothing)
{
  const auto image = ball(SIDE);
  const auto one = new_engine(1);
  const auto five = new_engine(5);
  CHECK(one->threads() == 1 && five->threads() == 5);
  CHECK(head(*one, image, *new_job()) == head(*five, image, *new_job()));
}
