// SPDX-License-Identifier: Apache-2.0
#include "gateway/settler.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "json/json.h"

namespace penstock::gateway {
namespace {

// What a repetition cannot change; everything else is tried again.
bool is_final(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
        case ErrorCode::not_found:
        case ErrorCode::conflict:
        case ErrorCode::insufficient_funds:
            return true;
        case ErrorCode::unauthenticated:  // of the gateway's own key: a person must look
        case ErrorCode::permission_denied:
        case ErrorCode::resource_exhausted:
        case ErrorCode::deadline_exceeded:
        case ErrorCode::unavailable:
        case ErrorCode::internal:
            return false;
    }
    return false;
}

Result<void> append_line(const std::filesystem::path& path, const std::string& line) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const bool written =
        file >= 0 && ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
        ::fdatasync(file) == 0;
    const int error = errno;
    if (file >= 0) ::close(file);
    if (!written)
        return fail(
            ErrorCode::internal, "cannot write " + path.string() + ": " + std::strerror(error)
        );
    return {};
}

}  // namespace

Settler::Settler(
    Parts parts, telemetry::Logger log, std::string replica, std::filesystem::path refused_file
)
    : parts_(parts),
      log_(std::move(log)),
      replica_(std::move(replica)),
      refused_file_(std::move(refused_file)) {}

io::Task<void> Settler::settle_forever() {
    Duration back_off = kBackOffFirst;
    while (true) {
        if (parts_.spool.backlog_done()) parts_.budget.open();
        co_await parts_.spool.wait_for_records();
        if (co_await settle_one_batch()) {
            back_off = kBackOffFirst;
            if (parts_.spool.backlog_done()) parts_.budget.open();
            co_await io::sleep_for(kGatherFor);
            continue;
        }
        const auto spread = static_cast<std::uint64_t>(back_off.count());
        co_await io::sleep_for(Duration(static_cast<std::int64_t>(parts_.random.below(spread) + 1))
        );
        back_off = std::min(back_off * 2, kBackOffMax);
    }
}

io::Task<bool> Settler::drain(io::Deadline deadline) {
    while (!deadline.passed()) {
        if (!parts_.spool.has_records()) co_return true;
        if (!co_await settle_one_batch()) co_await io::sleep_for(kBackOffFirst);
    }
    co_return !parts_.spool.has_records();
}

io::Task<bool> Settler::settle_one_batch() {
    const Result<std::unique_ptr<Spool::Batch>> read =
        co_await parts_.spool.next_batch(kBatchRecordsMax);
    if (!read) {
        log_.error("the spool cannot be read", read.error());
        co_return false;
    }
    const Spool::Batch& batch = **read;
    if (batch.records.empty()) {
        if (batch.damaged) parts_.spool.acknowledge(batch);
        parts_.metrics.set_settle_lag(0);
        co_return true;
    }
    if (const Result<CallRecord> oldest = json::parse<CallRecord>(batch.records.front()))
        parts_.metrics.set_settle_lag(
            to_seconds(std::max(Duration{0}, parts_.clock.now() - oldest->ended_at))
        );
    if (const Result<void> settled = co_await settle(batch.records); !settled) {
        log_.warning(
            "calls cannot be settled now",
            {{"calls", batch.records.size()}, {"error", to_string(settled.error())}}
        );
        if (Budget::is_silence(settled.error().code)) parts_.budget.find_out();
        co_return false;
    }
    co_await end_outage();
    if (!is_clear()) co_return false;
    parts_.spool.acknowledge(batch);
    co_return true;
}

// The server is there again: what was kept for its absence is not needed, and counts on the spool.
io::Task<void> Settler::end_outage() {
    if (is_clear()) co_return;
    parts_.budget.on_heard();
    co_await parts_.file->let_go();
}

// All of them are with the server or put aside, or the server cannot take any now.
io::Task<Result<void>> Settler::settle(Records records) {
    const Result<void> posted = co_await post(records);
    if (posted) co_return Result<void>{};
    if (!is_final(posted.error().code)) co_return posted;
    if (records.size() == 1) co_return co_await put_aside(records.front(), posted.error());
    const std::size_t middle = records.size() / 2;
    CO_TRY(co_await settle(records.first(middle)));
    co_return co_await settle(records.subspan(middle));
}

io::Task<Result<void>> Settler::post(Records records) {
    const SettledCalls settled = CO_TRY(co_await parts_.server.settle(replica_, records));
    parts_.metrics.on_settled(settled.accepted, settled.repeated);
    co_return Result<void>{};
}

io::Task<Result<void>> Settler::put_aside(std::string_view record, Error cause) {
    const Result<CallRecord> call = json::parse<CallRecord>(record);
    log_.error(
        "the server refuses a call record; it is kept in refused.jsonl", cause,
        {{"call", call ? to_string(call->id) : "that cannot be read"}}
    );
    std::string line = std::string(record) + "\n";
    const std::filesystem::path file = refused_file_;
    CO_TRY(co_await parts_.pool.run([file, line] { return append_line(file, line); }));
    parts_.metrics.on_settle_refused(1);
    co_return Result<void>{};
}

}  // namespace penstock::gateway
