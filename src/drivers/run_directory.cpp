// SPDX-License-Identifier: Apache-2.0
#include "drivers/run_directory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>

#include "json/codec.h"

namespace penstock::drivers {

BOOST_DESCRIBE_ENUM(
    Cause, none, exited, setup_failed, signal, out_of_memory, stopped, launch_failed, vanished
)
BOOST_DESCRIBE_STRUCT(LaunchStep, (), (name, argv))
BOOST_DESCRIBE_STRUCT(CgroupDirectory, (), (controller, v2, path))
BOOST_DESCRIBE_STRUCT(
    Launch, (), (attempt_id, fence, steps, inner_arguments, cgroup, log_bytes_max, hold)
)
BOOST_DESCRIBE_STRUCT(ProcessIdentity, (), (pid, start_ticks))
BOOST_DESCRIBE_STRUCT(Claim, (), (attempt_id, fence, epoch, boot_id, supervisor, at))
BOOST_DESCRIBE_STRUCT(Progress, (), (running_at))
BOOST_DESCRIBE_STRUCT(
    ExitRecord, (),
    (fence, cause, exit_code, signal, out_of_memory, reason, running_at, ended_at, cpu_us,
     throttled_us, memory_peak_bytes, io_read_bytes, io_written_bytes, estimated)
)

namespace {

template <class T>
Result<std::optional<T>> read_record(const std::string& path) {
    Result<std::string> text = read_file(path);
    if (!text && text.error().code == ErrorCode::not_found) return std::nullopt;
    if (!text) return std::unexpected(std::move(text).error());
    Result<T> record = json::parse<T>(*text);
    if (!record) return fail(ErrorCode::internal, path + ": " + record.error().message);
    return *std::move(record);
}

}  // namespace

bool RunDirectory::exists() const { return drivers::exists(path_); }

Result<std::int64_t> RunDirectory::fence() const {
    const Result<std::string> text = read_file(file("fence"));
    if (!text && text.error().code == ErrorCode::not_found) return 0;
    if (!text) return std::unexpected(text.error());
    std::int64_t fence = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), fence);
    if (error != std::errc() || *end != '\n')
        return fail(ErrorCode::internal, file("fence") + ": not a number");
    return fence;
}

Result<void> RunDirectory::write_fence(std::int64_t fence) const {
    return write_durably(file("fence"), fmt::format("{}\n", fence));
}

Result<Launch> RunDirectory::read_launch() const {
    auto launch = TRY(read_record<Launch>(file("launch.json")));
    if (!launch) return fail(ErrorCode::not_found, file("launch.json") + ": nothing to launch");
    return *std::move(launch);
}

Result<void> RunDirectory::write_launch(const Launch& launch) const {
    return replace_file(file("launch.json"), json::print(launch), 0600);
}

Result<std::optional<Claim>> RunDirectory::read_claim() const {
    return read_record<Claim>(file("claim.json"));
}

Result<void> RunDirectory::write_claim(const Claim& claim) const {
    const FileLock lock = TRY(lock_claim());
    if (const std::int64_t newest = TRY(fence()); newest != claim.fence)
        return fail(
            ErrorCode::conflict, fmt::format(
                                     "attempt {}: fence {} is not the newest, {} is",
                                     claim.attempt_id, claim.fence, newest
                                 )
        );
    return write_exclusively(file("claim.json"), json::print(claim));
}

Result<std::optional<Progress>> RunDirectory::read_progress() const {
    return read_record<Progress>(file("progress.json"));
}

Result<void> RunDirectory::write_progress(const Progress& progress) const {
    return replace_file(file("progress.json"), json::print(progress), 0600);
}

Result<std::optional<ExitRecord>> RunDirectory::read_exit() const {
    return read_record<ExitRecord>(file("exit.json"));
}

Result<void> RunDirectory::write_exit(const ExitRecord& record) const {
    const FileLock lock = TRY(lock_claim());
    if (const std::int64_t newest = TRY(fence()); newest != record.fence)
        return fail(
            ErrorCode::conflict,
            fmt::format("fence {} is not the newest, {} is", record.fence, newest)
        );
    return write_durably(file("exit.json"), json::print(record));
}

Result<void> RunDirectory::reset() const {
    for (const char* name : {"etc", "tmp", "work"}) TRY(remove_tree(file(name)));
    // The claim goes last: as long as it is there, nobody else can start, and a reset that was cut
    // off is seen to be needed again.
    for (const char* name :
         {"launch.json", "progress.json", "stop", "held", "go", "exit.json", "log", "uid",
          "script.sh", "setup.sh", "claim.json"})
        if (::unlink(file(name).c_str()) != 0 && errno != ENOENT)
            return fail_errno(errno, file(name));
    return {};
}

}  // namespace penstock::drivers

JSON_INSTANTIATE(penstock::drivers::Launch);
JSON_INSTANTIATE(penstock::drivers::Claim);
JSON_INSTANTIATE(penstock::drivers::Progress);
JSON_INSTANTIATE(penstock::drivers::ExitRecord);
