// SPDX-License-Identifier: Apache-2.0
#include "drivers/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <vector>

#include "drivers/process_driver.h"

namespace penstock::drivers {
namespace {

constexpr int kTreeDepthMax = 64;  // deeper folders are moved up before they are removed

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

ErrorCode code_of(int error) {
    switch (error) {
        case ENOENT:
        case ESRCH:
            return ErrorCode::not_found;
        case EEXIST:
            return ErrorCode::conflict;
        case EACCES:
        case EPERM:
            return ErrorCode::permission_denied;
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            return ErrorCode::resource_exhausted;
        default:
            return ErrorCode::internal;
    }
}

Result<void> write_all(int file, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t count = ::write(file, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(errno, path);
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> sync_directory_of(const std::string& path) {
    const std::string directory = path.substr(0, path.rfind('/'));
    const FileDescriptor file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file.is_open() || ::fsync(file.get()) != 0) return fail_errno(errno, directory);
    return {};
}

// A new file beside `path`, written and, when it is to be durable, synced; its name.
Result<std::string> write_beside(
    const std::string& path, std::string_view text, mode_t mode, bool durable
) {
    std::string name = path + ".XXXXXX";
    const FileDescriptor file(::mkostemp(name.data(), O_CLOEXEC));
    if (!file.is_open()) return fail_errno(errno, name);
    Result<void> written = write_all(file.get(), text, name);
    if (written && (::fchmod(file.get(), mode) != 0 || (durable && ::fsync(file.get()) != 0)))
        written = fail_errno(errno, name);
    if (!written) {
        ::unlink(name.c_str());
        return std::unexpected(std::move(written).error());
    }
    return name;
}

Result<void> move_over(const std::string& name, const std::string& path) {
    if (::rename(name.c_str(), path.c_str()) == 0) return {};
    const int error = errno;
    ::unlink(name.c_str());
    return fail_errno(error, path);
}

// A directory stream of an entry that is a real folder and that we may work in.
Directory open_folder(int parent, const char* name) {
    int file = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0 && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0)
        file = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return nullptr;
    ::fchmod(file, 0700);
    return Directory(::fdopendir(file));
}

struct Removal {
    int top = -1;
    int moved = 0;
    bool again = false;  // something was moved up: the top must be looked at once more
    int error = 0;
};

void empty_folder(int folder, int depth, Removal& removal);

void remove_entry(int parent, const char* name, int depth, Removal& removal) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR && errno != EPERM && errno != EACCES) {
        removal.error = errno;
        return;
    }
    if (depth >= kTreeDepthMax) {
        // A name of the task's own may stand in the way; then the next number is tried.
        do {
            const std::string moved = ".moved-" + std::to_string(removal.moved++);
            if (::renameat(parent, name, removal.top, moved.c_str()) == 0) {
                removal.again = true;
                return;
            }
        } while (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR);
        removal.error = errno;
        return;
    }
    const Directory folder = open_folder(parent, name);
    if (folder == nullptr) {
        removal.error = errno;
        return;
    }
    empty_folder(::dirfd(folder.get()), depth + 1, removal);
    if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT && removal.error == 0)
        removal.error = errno;
}

std::vector<std::string> entries_of(int folder) {
    std::vector<std::string> names;
    const Directory stream(::fdopendir(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    if (stream == nullptr) return names;
    while (const dirent* entry = ::readdir(stream.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    return names;
}

void empty_folder(int folder, int depth, Removal& removal) {
    for (const std::string& name : entries_of(folder))
        remove_entry(folder, name.c_str(), depth, removal);
}

void own_tree(int parent, const char* name, uid_t uid, gid_t gid, int depth, int& error) {
    if (::fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) error = errno;
    const FileDescriptor folder(
        ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    );
    if (!folder.is_open()) return;
    if (depth >= kTreeDepthMax) {
        error = ELOOP;
        return;
    }
    for (const std::string& entry : entries_of(folder.get()))
        own_tree(folder.get(), entry.c_str(), uid, gid, depth + 1, error);
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
        close();
        number_ = std::exchange(other.number_, -1);
    }
    return *this;
}

void FileDescriptor::close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
}

std::unexpected<Error> fail_errno(int error, std::string_view what) {
    return fail(code_of(error), std::string(what) + ": " + std::generic_category().message(error));
}

Result<std::string> read_file(const std::string& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return fail_errno(errno, path);
    std::string text;
    std::array<char, 16384> buffer;
    while (true) {
        const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_errno(errno, path);
        if (count == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(count));
        if (text.size() > kFileBytesMax)
            return fail(
                ErrorCode::resource_exhausted, path + ": more than 8 MiB, which no record has"
            );
    }
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<void> make_directory(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
    return fail_errno(errno, path);
}

Result<void> write_control(const std::string& path, std::string_view text) {
    const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.is_open()) return fail_errno(errno, path);
    if (::write(file.get(), text.data(), text.size()) < 0) return fail_errno(errno, path);
    return {};
}

Result<void> write_file(const std::string& path, std::string_view text, mode_t mode) {
    const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!file.is_open() || ::fchmod(file.get(), mode) != 0) return fail_errno(errno, path);
    return write_all(file.get(), text, path);
}

Result<void> replace_file(const std::string& path, std::string_view text, mode_t mode) {
    return move_over(TRY(write_beside(path, text, mode, false)), path);
}

Result<void> write_durably(const std::string& path, std::string_view text, mode_t mode) {
    TRY(move_over(TRY(write_beside(path, text, mode, true)), path));
    return sync_directory_of(path);
}

Result<void> write_exclusively(const std::string& path, std::string_view text) {
    const std::string name = TRY(write_beside(path, text, 0600, true));
    const int linked = ::link(name.c_str(), path.c_str());
    const int error = errno;
    ::unlink(name.c_str());
    if (linked != 0) return fail_errno(error, path);
    return sync_directory_of(path);
}

Result<void> remove_tree(const std::string& path) {
    while (true) {
        const Directory top = open_folder(AT_FDCWD, path.c_str());
        if (top == nullptr) {
            if (errno == ENOENT) return {};
            return fail_errno(errno, path);
        }
        Removal removal{.top = ::dirfd(top.get())};
        empty_folder(removal.top, 0, removal);
        if (removal.error != 0) return fail_errno(removal.error, path);
        if (!removal.again) break;
    }
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, path);
    return {};
}

Result<void> change_owner(const std::string& path, uid_t uid, gid_t gid) {
    int error = 0;
    own_tree(AT_FDCWD, path.c_str(), uid, gid, 0, error);
    if (error != 0) return fail_errno(error, path);
    return {};
}

Result<FileLock> FileLock::take(const std::string& path) {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) return fail_errno(errno, path);
    while (::flock(file.get(), LOCK_EX) != 0)
        if (errno != EINTR) return fail_errno(errno, path);
    return FileLock(std::move(file));
}

Result<int> open_beneath(const std::string& directory, const std::string& relative_path) {
    const FileDescriptor base(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!base.is_open()) return fail_errno(errno, directory);
    // O_NONBLOCK: opening a fifo that the task left there must not block.
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    FileDescriptor file(static_cast<int>(
        ::syscall(SYS_openat2, base.get(), relative_path.c_str(), &how, sizeof how)
    ));
    if (!file.is_open()) {
        if (errno == ELOOP || errno == EXDEV)
            return fail(
                ErrorCode::permission_denied,
                relative_path +
                    ": a symbolic link or a way out of the work directory; write a regular file"
            );
        return fail_errno(errno, relative_path);
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return fail_errno(errno, relative_path);
    if (!S_ISREG(status.st_mode))
        return fail(ErrorCode::invalid_argument, relative_path + ": not a regular file");
    return file.release();
}

}  // namespace penstock::drivers
