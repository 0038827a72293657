// SPDX-License-Identifier: Apache-2.0
#include "agent/attempt_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "json/json.h"

namespace penstock::agent {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kSuffix = ".json";

Result<std::int64_t> read_sequence(const std::string& path) {
    Result<std::string> text = drivers::read_file(path);
    if (!text && text.error().code == ErrorCode::not_found) return 0;
    if (!text) return std::unexpected(std::move(text.error()));
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || value < 0)
        return fail(
            ErrorCode::internal,
            fmt::format("{} holds no number; restore it, or remove the whole directory", path)
        );
    return value;
}

}  // namespace

AttemptStore::AttemptStore(
    std::string directory, drivers::FileDescriptor lock, std::int64_t sequence
)
    : directory_(std::move(directory)),
      lock_(std::move(lock)),
      first_sequence_(sequence),
      reserved_(std::make_unique<Guarded<std::int64_t>>(sequence)) {}

std::string AttemptStore::path_of(const AttemptId& id) const {
    return directory_ + "/attempts/" + to_string(id) + std::string(kSuffix);
}

Result<AttemptStore> AttemptStore::open(const std::string& directory) {
    std::error_code error;
    fs::create_directories(fs::path(directory).parent_path(), error);
    if (error)
        return fail(
            ErrorCode::unavailable,
            fmt::format(
                "state_dir {}: {}; choose one that can be written", directory, error.message()
            )
        );
    TRY(drivers::make_directory(directory, 0700));
    TRY(drivers::make_directory(directory + "/attempts", 0700));
    drivers::FileDescriptor lock(
        ::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)
    );
    if (!lock.is_open()) return drivers::fail_errno(errno, directory + "/lock");
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(
            ErrorCode::conflict,
            fmt::format(
                "another agent works in state_dir {}; stop it or choose another one", directory
            )
        );
    const std::int64_t sequence = TRY(read_sequence(directory + "/sequence"));
    return AttemptStore(directory, std::move(lock), sequence);
}

Result<std::vector<AttemptRecord>> AttemptStore::load(std::vector<std::string>& warnings) {
    std::vector<AttemptRecord> records;
    std::error_code error;
    fs::directory_iterator entries(directory_ + "/attempts", error);
    if (error)
        return fail(
            ErrorCode::unavailable, fmt::format("{}/attempts: {}", directory_, error.message())
        );
    for (const fs::directory_entry& entry : entries) {
        const std::string path = entry.path().string();
        if (!path.ends_with(kSuffix)) continue;
        Result<std::string> text = drivers::read_file(path);
        Result<AttemptRecord> record =
            text ? json::parse<AttemptRecord>(*text) : std::unexpected(std::move(text.error()));
        if (record) {
            records.push_back(*std::move(record));
            continue;
        }
        warnings.push_back(fmt::format("{}: {}", path, record.error().message));
        fs::rename(path, path + ".unreadable", error);
    }
    std::ranges::sort(records, {}, &AttemptRecord::attempt_id);
    return records;
}

Result<void> AttemptStore::save(const AttemptRecord& record) {
    std::int64_t highest = 0;
    for (const AttemptReport& report : record.reports) highest = std::max(highest, report.seq);
    TRY(reserved_->with([&](std::int64_t& reserved) -> Result<void> {
        if (highest <= reserved) return {};
        TRY(drivers::write_durably(
            directory_ + "/sequence", std::to_string(highest + kSequenceBlock)
        ));
        reserved = highest + kSequenceBlock;
        return {};
    }));
    return drivers::write_durably(path_of(record.attempt_id), json::print(record));
}

Result<void> AttemptStore::remove(const AttemptId& id) {
    if (unlink(path_of(id).c_str()) != 0 && errno != ENOENT)
        return drivers::fail_errno(errno, path_of(id));
    return {};
}

}  // namespace penstock::agent
