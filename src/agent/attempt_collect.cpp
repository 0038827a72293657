// SPDX-License-Identifier: Apache-2.0
// What AttemptRun does after a run: outputs, checkpoints, checks, and letting go.
#include <fmt/format.h>

#include <filesystem>

#include "agent/acceptance.h"
#include "agent/archive.h"
#include "agent/attempt_run.h"
#include "agent/launch.h"
#include "agent/work_files.h"
#include "drivers/files.h"
#include "drivers/process_driver.h"

namespace penstock::agent {
namespace {

constexpr std::int64_t kEmptyArchiveBytes = 1024;  // its end mark alone

struct OpenOutput {
    drivers::FileDescriptor file;
    HashedFile content;
};

Result<OpenOutput> open_output(const std::string& work_dir, const std::string& path) {
    OpenOutput output{drivers::FileDescriptor(TRY(drivers::open_beneath(work_dir, path))), {}};
    output.content = TRY(hash_file(output.file.get()));
    return output;
}

}  // namespace

io::Task<Event> AttemptRun::collect() {
    Collected collected;
    co_await collect_outputs(&collected);
    if (stores_checkpoints(*record_.start)) {
        Result<std::optional<Checkpoint>> stored = co_await store_checkpoint();
        if (stored)
            collected.checkpoint = *std::move(stored);
        else
            collected.remarks.push_back(
                "the last checkpoint was not stored: " + stored.error().message
            );
    }
    const std::optional<AcceptanceSpec>& acceptance = record_.start->acceptance;
    if (acceptance && record_.verdict->state == TaskState::succeeded)
        collected.not_accepted = co_await context_.files.run([&] {
            return failed_check(*acceptance, record_.work_dir);
        });
    co_await flush_log();
    co_return collected;
}

io::Task<void> AttemptRun::collect_outputs(Collected* collected) {
    OutputList list = co_await context_.files.run([this] {
        return list_outputs(record_.start->outputs, record_.work_dir);
    });
    collected->remarks = std::move(list.remarks);
    for (const std::string& path : list.files) {
        const Result<OpenOutput> output = co_await context_.files.run([this, &path] {
            return open_output(record_.work_dir, path);
        });
        if (!output) {
            collected->not_stored =
                fmt::format("output '{}' cannot be read: {}", path, output.error().message);
            continue;
        }
        if (output->content.bytes > kOutputBytesMax) {
            list.missing.push_back(fmt::format(
                "output '{}' is larger than the {} MiB that can be stored; split it", path,
                kOutputBytesMax >> 20
            ));
            continue;
        }
        const Result<void> stored =
            co_await context_.blobs.store(output->file.get(), output->content);
        if (stored)
            collected->outputs.push_back(
                {.path = path,
                 .bytes = output->content.bytes,
                 .sha256 = output->content.sha256,
                 .item = record_.start->item}
            );
        else
            collected->not_stored =
                fmt::format("output '{}' could not be uploaded: {}", path, stored.error().message);
    }
    if (list.missing.empty()) co_return;
    collected->missing.emplace();
    for (const std::string& text : list.missing)
        *collected->missing += (collected->missing->empty() ? "" : "\n") + text;
}

// Nothing when there is none, or when it is the one that is stored already.
io::Task<Result<std::optional<Checkpoint>>> AttemptRun::store_checkpoint() {
    const std::string folder = CO_TRY(checkpoint_folder(*record_.start->checkpoint));
    Checkpoint checkpoint;
    checkpoint.at = context_.clock.now();
    checkpoint.running_ms = record_.meter.running_ms;
    if (record_.phase == AttemptPhase::running)
        checkpoint.running_ms =
            std::max(record_.meter.running_ms, context_.boot.now_ms() - record_.running_since->ms);
    const std::string file = scratch_file("packed");
    Result<HashedFile> packed = HashedFile{};
    for (int tries = 0; tries < kPackTriesMax; ++tries) {
        packed = co_await context_.files.run([&] {
            return pack(record_.work_dir + "/" + folder, file, {.only_complete = true});
        });
        if (packed || packed.error().code != ErrorCode::conflict) break;
    }
    const HashedFile content = CO_TRY(std::move(packed));
    checkpoint.sha256 = content.sha256;
    checkpoint.bytes = content.bytes;
    const bool known = record_.checkpoint && record_.checkpoint->sha256 == content.sha256;
    if (known || content.bytes <= kEmptyArchiveBytes) co_return std::optional<Checkpoint>();
    const drivers::FileDescriptor opened =
        CO_TRY(co_await context_.files.run([&]() -> Result<drivers::FileDescriptor> {
            return drivers::FileDescriptor(TRY(drivers::open_beneath(
                context_.scratch, std::filesystem::path(file).filename().string()
            )));
        }));
    CO_TRY(co_await context_.blobs.store(opened.get(), content));
    co_return std::optional<Checkpoint>(checkpoint);
}

// Gives the log a moment to reach the server before the report that ends the attempt: who follows
// it shall see its last lines.
io::Task<void> AttemptRun::flush_log() {
    const io::Deadline last = io::Deadline::after(kLogFlushMax);
    while (has_log() && context_.connected && !log_sent_ && !log_done_)
        if (!co_await changed_.wait(last)) break;
}

io::Task<Event> AttemptRun::release() {
    while (!record_.reports.empty()) co_await changed_.wait();
    // A log that nobody takes is given up in the end, but the server's absence does not count.
    Duration waited{0};
    while (has_log() && !log_done_ && waited < kLogDrainMax) {
        const bool notified = co_await changed_.wait(io::Deadline::after(1s));
        if (!notified && context_.connected) waited += 1s;
    }
    if (has_log() && !log_done_)
        log_.warning("the server did not take the rest of the log; it is dropped");
    const std::string attempt = id();
    for (;;) {
        const Result<void> cleaned =
            co_await context_.engine.run([this, &attempt]() -> Result<void> {
                TRY(context_.driver.clean(attempt));
                std::error_code ignored;  // absent is usual
                for (const char* name : {"workdir", "checkpoint", "input", "packed"})
                    std::filesystem::remove(scratch_file(name), ignored);
                return {};
            });
        if (cleaned) co_return Released{};
        log_.warning(
            "the attempt's folder cannot be removed; trying again",
            {{"cause", cleaned.error().message}}
        );
        co_await io::sleep_for(10s);
    }
}

}  // namespace penstock::agent
