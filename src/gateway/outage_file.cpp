// SPDX-License-Identifier: Apache-2.0
#include "gateway/outage_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "gateway/outage_snapshot.h"

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> system_failure(std::string_view what, const fs::path& path) {
    return fail(
        ErrorCode::unavailable, "cannot " + std::string(what) + " " + path.string() + ": " +
                                    std::strerror(errno) + "; make room or mend the disk"
    );
}

// A file that is closed, whatever path leads out.
class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }

  private:
    int number_;
};

Result<void> sync_folder(const fs::path& folder) {
    const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (file.get() < 0 || ::fsync(file.get()) != 0) return system_failure("sync", folder);
    return {};
}

}  // namespace

Result<void> write_whole(const fs::path& path, std::string_view bytes) {
    const fs::path draft = fs::path(path).concat(".new");
    {
        const Descriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
        );
        if (file.get() < 0 || ::fchmod(file.get(), 0600) != 0) return system_failure("make", draft);
        while (!bytes.empty()) {
            const ssize_t wrote = ::write(file.get(), bytes.data(), bytes.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote <= 0) return system_failure("write", draft);
            bytes.remove_prefix(static_cast<std::size_t>(wrote));
        }
        if (::fsync(file.get()) != 0) return system_failure("sync", draft);
    }
    if (::rename(draft.c_str(), path.c_str()) != 0) return system_failure("rename", draft);
    return sync_folder(path.parent_path());
}

Result<void> remove_durably(const fs::path& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_failure("remove", path);
    return sync_folder(path.parent_path());
}

Result<std::string> read_whole(const fs::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat facts{};
    if (file.get() < 0 || ::fstat(file.get(), &facts) != 0) return system_failure("read", path);
    if (static_cast<std::uint64_t>(facts.st_size) > kSnapshotBytesMax)
        return fail(ErrorCode::invalid_argument, path.string() + " is too large");
    std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
    std::size_t size = 0;
    while (size < bytes.size()) {
        const ssize_t got = ::read(file.get(), bytes.data() + size, bytes.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_failure("read", path);
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    bytes.resize(size);
    return bytes;
}

OutageFile::OutageFile(io::Executor executor, io::Pool& pool, telemetry::Logger log, fs::path path)
    : pool_(pool),
      log_(std::move(log)),
      path_(std::move(path)),
      there_(fs::exists(path_)),
      idle_(std::move(executor)) {}

OutageFile::Writing::Writing(OutageFile& file) : file_(file) {
    CHECK(!file_.busy_, "one writing at a time");
    file_.busy_ = file_.there_ = true;
}

OutageFile::Writing::~Writing() {
    file_.busy_ = false;
    file_.idle_.notify_all();
}

io::Task<bool> OutageFile::write(Writing* writing, std::function<std::string()> print) {
    static_cast<void>(writing);
    const Result<void> written = co_await pool_.run([path = path_, print = std::move(print)] {
        const std::string bytes = print();
        if (bytes.size() > kSnapshotBytesMax)
            return Result<void>(
                fail(ErrorCode::resource_exhausted, "the snapshot is larger than it may be")
            );
        return write_whole(path, bytes);
    });
    if (written) co_return true;
    log_.error(
        "the snapshot for an outage cannot be written; a restart without the server would serve "
        "nothing",
        written.error()
    );
    // An earlier one says of leases what is no longer true.
    const Result<void> removed =
        co_await pool_.run([path = path_] { return remove_durably(path); });
    there_ = !removed;
    co_return false;
}

io::Task<bool> OutageFile::let_go() {
    while (busy_) co_await idle_.wait();
    if (!there_) co_return true;
    const Writing alone(*this);
    const Result<void> removed =
        co_await pool_.run([path = path_] { return remove_durably(path); });
    there_ = !removed;
    if (!removed)
        log_.error(
            "the snapshot of an outage that is over cannot be removed: until it is, no call is "
            "settled and nothing is given back",
            removed.error()
        );
    co_return removed.has_value();
}

}  // namespace penstock::gateway
