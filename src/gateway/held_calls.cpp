// SPDX-License-Identifier: Apache-2.0
#include "gateway/held_calls.h"

#include <algorithm>
#include <chrono>

#include "gateway/call_input.h"
#include "routing/call_limits.h"

namespace penstock::gateway {
namespace {

using routing::ApiError;

constexpr int kClientClosedRequest = 499;  // nobody receives it
constexpr Duration kRetryAfterMin = 1s;

std::string seconds_text(Duration span) {
    return to_string(std::chrono::ceil<std::chrono::seconds>(span));
}

}  // namespace

class HeldCalls::Place {
  public:
    Place(HeldCalls& calls, TaskId task, std::string model, std::size_t bytes)
        : calls_(calls), task_(task), model_(std::move(model)), bytes_(bytes) {
        ++calls_.begun_;
        ++calls_.held_;
        ++calls_.held_of_[model_];
        calls_.bytes_ += bytes_;
        calls_.loads_.hold(task_);
        calls_.somebody_waits_.notify_all();
    }
    ~Place() {
        --calls_.held_;
        if (--calls_.held_of_[model_] == 0) calls_.held_of_.erase(model_);
        calls_.bytes_ -= bytes_;
        calls_.loads_.let_go(task_);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

  private:
    HeldCalls& calls_;
    TaskId task_;
    std::string model_;
    std::size_t bytes_;
};

io::Task<ApiResult<void>> HeldCalls::until_ready(Wait wait) {
    if (!sleeps(wait.model)) co_return ApiResult<void>();
    if (const Result<void> allowed = routing::check_model(*wait.key, wait.model); !allowed)
        co_return std::unexpected(told(allowed.error()));
    // The table may be replaced while this call waits.
    const ElasticRoute service = *loads_.service_of(wait.model);
    const Duration span = std::min(wait.span.value_or(service.hold_first_call), options_.hold_max);
    const auto of_model = held_of_.find(wait.model);
    if ((of_model != held_of_.end() && of_model->second >= options_.held_calls_max) ||
        bytes_ + wait.bytes > options_.held_bytes_max)
        co_return std::unexpected(full(service));
    const auto begun = std::chrono::steady_clock::now();
    const io::Deadline until = io::earlier(wait.deadline, io::Deadline::after(span));
    const Place place(*this, service.task_id, wait.model, wait.bytes);
    std::optional<bool> ready;
    if (wait.client)
        ready = co_await wait.client->unless_gone(wait_until(&wait, until));
    else
        ready = co_await wait_until(&wait, until);
    if (!ready)
        co_return std::unexpected(ApiError{
            .status = kClientClosedRequest, .message = "the client has gone", .type = "server_error"
        });
    if (*ready) co_return ApiResult<void>();
    if (wait.deadline.passed())
        co_return std::unexpected(deadline_passed("a replica of the model was ready"));
    co_return std::unexpected(cold_start(
        service, std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun)
    ));
}

io::Task<void> HeldCalls::wait_for_more(std::uint64_t known, io::Deadline deadline) {
    while (begun_ == known)
        if (!co_await somebody_waits_.wait(deadline)) co_return;
}

// True: there is nothing to wait for any more, since a replica is ready or the service has ended.
io::Task<bool> HeldCalls::wait_until(const Wait* wait, io::Deadline until) {
    while (sleeps(wait->model)) {
        const io::Deadline look =
            wait->tell ? io::earlier(until, io::Deadline::after(wait->tell_every)) : until;
        if (co_await changed_.wait(look)) continue;
        if (until.passed()) co_return !sleeps(wait->model);
        if (wait->tell) co_await wait->tell();
    }
    co_return true;
}

ApiError HeldCalls::cold_start(const ElasticRoute& service, Duration waited) const {
    const Duration left = std::max(kRetryAfterMin, service.cold_start - waited);
    ApiError error = busy(
        "no replica of '" + service.model + "' runs yet: one is being started (cold start, about " +
        to_string(service.cold_start) + "); repeat the call in " + seconds_text(left) +
        ", or let it wait longer by x-penstock-wait"
    );
    error.code = "cold_start";
    error.retry_after = left;
    return error;
}

ApiError HeldCalls::full(const ElasticRoute& service) const {
    ApiError error = busy(
        "as many calls as may wait for the first replica of '" + service.model +
        "' (cold start, about " + to_string(service.cold_start) + ") do: repeat the call later"
    );
    error.code = "cold_start";
    error.retry_after = std::max(kRetryAfterMin, service.cold_start);
    return error;
}

}  // namespace penstock::gateway
