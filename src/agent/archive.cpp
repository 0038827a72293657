// SPDX-License-Identifier: Apache-2.0
#include "agent/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "drivers/files.h"

namespace penstock::agent {
namespace {

using drivers::fail_errno;
using drivers::FileDescriptor;

constexpr std::size_t kBlockBytes = std::size_t{1} << 17;

struct CloseArchive {
    void operator()(archive* a) const { archive_free(a); }
    void operator()(archive_entry* e) const { archive_entry_free(e); }
};
using Archive = std::unique_ptr<archive, CloseArchive>;
using Entry = std::unique_ptr<archive_entry, CloseArchive>;

std::unexpected<Error> fail_archive(archive* a, std::string_view what) {
    const char* text = archive_error_string(a);
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{}: {}", what, text == nullptr ? "unknown error" : text)
    );
}
std::unexpected<Error> refuse(std::string_view path, std::string_view why) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("the archive's entry '{}' {}; pack it without that", path, why)
    );
}

// The path as segments; "./" and a trailing slash are usual in archives, everything else unusual is
// refused.
Result<std::vector<std::string>> segments_of(std::string_view path) {
    if (path.starts_with('/')) return refuse(path, "has an absolute path");
    if (path.size() > kArchivePathBytesMax)
        return refuse(path.substr(0, 80), "has too long a path");
    std::vector<std::string> segments;
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        if (segment == "..") return refuse(path, "leads out of the directory by '..'");
        if (!segment.empty() && segment != ".") segments.emplace_back(segment);
        path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
    }
    if (segments.size() > kArchiveDepthMax) return refuse(segments.front(), "lies too deep");
    return segments;
}

// A link stays inside if it first climbs no higher than the root and then only descends: whatever
// links it passes on the way down stay inside too.
bool link_stays_inside(std::string_view target, std::size_t depth) {
    if (target.empty() || target.starts_with('/')) return false;
    bool descending = false;
    while (!target.empty()) {
        const std::size_t slash = target.find('/');
        const std::string_view segment = target.substr(0, slash);
        target = slash == std::string_view::npos ? "" : target.substr(slash + 1);
        if (segment.empty() || segment == ".") continue;
        if (segment != "..")
            descending = true;
        else if (descending || depth-- == 0)
            return false;
    }
    return true;
}

// Writes entries below one directory, each step by a descriptor and without following links.
class Unpacker {
  public:
    Unpacker(archive* from, FileDescriptor root, UnpackLimits limits)
        : from_(from), root_(std::move(root)), limits_(limits), buffer_(kBlockBytes) {}

    Result<void> entry(archive_entry* e) {
        const char* name = archive_entry_pathname(e);
        if (name == nullptr) return refuse("?", "has no readable name");
        if (++entries_ > limits_.entries_max)
            return fail(
                ErrorCode::resource_exhausted,
                fmt::format("the archive has more than {} entries", limits_.entries_max)
            );
        std::vector<std::string> path = TRY(segments_of(name));
        if (path.empty()) return {};  // the directory itself
        const std::string leaf = std::move(path.back());
        path.pop_back();
        const FileDescriptor parent = TRY(open_folder(path, name));
        if (const char* target = archive_entry_hardlink(e))
            return copy_of(target, parent.get(), leaf, name);
        const mode_t mode = archive_entry_mode(e) & 0777;
        switch (archive_entry_filetype(e)) {
            case AE_IFREG:
                return file(parent.get(), leaf, mode | S_IRUSR | S_IWUSR, name);
            case AE_IFDIR:
                return folder(parent.get(), leaf, mode | S_IRWXU, name);
            case AE_IFLNK:
                return link(e, parent.get(), leaf, path.size(), name);
            default:
                return refuse(name, "is a device, a socket or a pipe");
        }
    }

  private:
    Result<FileDescriptor> open_folder(
        const std::vector<std::string>& path, std::string_view name
    ) {
        FileDescriptor at(fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
        for (const std::string& segment : path) {
            if (mkdirat(at.get(), segment.c_str(), 0755) != 0 && errno != EEXIST)
                return fail_errno(errno, name);
            FileDescriptor next(
                openat(at.get(), segment.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            );
            if (!next.is_open()) return refuse(name, "passes through a link or a file");
            at = std::move(next);
        }
        return at;
    }

    Result<FileDescriptor> create(
        int parent, const std::string& leaf, mode_t mode, std::string_view name
    ) {
        for (int tries = 0; tries < 2; ++tries) {
            FileDescriptor made(openat(
                parent, leaf.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode
            ));
            if (made.is_open()) return made;
            if (errno != EEXIST || unlinkat(parent, leaf.c_str(), 0) != 0) break;
        }
        return fail_errno(errno, name);
    }

    Result<void> write_all(int descriptor, std::string_view bytes, std::string_view name) {
        bytes_ += static_cast<std::int64_t>(bytes.size());
        if (bytes_ > limits_.bytes_max)
            return fail(
                ErrorCode::resource_exhausted,
                fmt::format("the archive holds more than {} MiB", limits_.bytes_max >> 20)
            );
        while (!bytes.empty()) {
            const ssize_t wrote = write(descriptor, bytes.data(), bytes.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) return fail_errno(errno, name);
            bytes.remove_prefix(static_cast<std::size_t>(wrote));
        }
        return {};
    }

    Result<void> file(int parent, const std::string& leaf, mode_t mode, std::string_view name) {
        const FileDescriptor made = TRY(create(parent, leaf, mode, name));
        for (;;) {
            const la_ssize_t got = archive_read_data(from_, buffer_.data(), buffer_.size());
            if (got == 0) break;
            if (got < 0) return fail_archive(from_, name);
            TRY(write_all(made.get(), {buffer_.data(), static_cast<std::size_t>(got)}, name));
        }
        if (fchmod(made.get(), mode) != 0) return fail_errno(errno, name);
        return {};
    }

    // A hard link becomes a copy: nothing outside can be reached by it, and the two stay apart.
    Result<void> copy_of(
        const char* target, int parent, const std::string& leaf, std::string_view name
    ) {
        std::vector<std::string> path = TRY(segments_of(target));
        if (path.empty()) return refuse(name, "is a link to nothing");
        const std::string source_leaf = std::move(path.back());
        path.pop_back();
        const FileDescriptor folder_of = TRY(open_folder(path, name));
        const FileDescriptor source(openat(
            folder_of.get(), source_leaf.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
        ));
        struct stat about{};
        if (!source.is_open() || fstat(source.get(), &about) != 0 || !S_ISREG(about.st_mode))
            return refuse(name, "is a link to a file that is not in the archive before it");
        struct stat same{};
        if (fstatat(parent, leaf.c_str(), &same, AT_SYMLINK_NOFOLLOW) == 0 &&
            same.st_ino == about.st_ino && same.st_dev == about.st_dev)
            return {};
        const FileDescriptor made = TRY(create(parent, leaf, about.st_mode & 0777, name));
        for (;;) {
            const ssize_t got = read(source.get(), buffer_.data(), buffer_.size());
            if (got < 0) return fail_errno(errno, name);
            if (got == 0) return {};
            TRY(write_all(made.get(), {buffer_.data(), static_cast<std::size_t>(got)}, name));
        }
    }

    Result<void> folder(int parent, const std::string& leaf, mode_t mode, std::string_view name) {
        if (mkdirat(parent, leaf.c_str(), mode) != 0 && errno != EEXIST)
            return fail_errno(errno, name);
        const FileDescriptor made(
            openat(parent, leaf.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        );
        if (!made.is_open()) return refuse(name, "is a folder where a link or a file is");
        if (fchmod(made.get(), mode) != 0) return fail_errno(errno, name);
        return {};
    }

    Result<void> link(
        archive_entry* e, int parent, const std::string& leaf, std::size_t depth,
        std::string_view name
    ) {
        const char* target = archive_entry_symlink(e);
        if (target == nullptr || !link_stays_inside(target, depth))
            return refuse(name, "is a link that leads out");
        for (int tries = 0; tries < 2; ++tries) {
            if (symlinkat(target, parent, leaf.c_str()) == 0) return {};
            if (errno != EEXIST || unlinkat(parent, leaf.c_str(), 0) != 0) break;
        }
        return fail_errno(errno, name);
    }

    archive* from_;
    FileDescriptor root_;
    UnpackLimits limits_;
    std::vector<char> buffer_;
    std::int64_t entries_ = 0;
    std::int64_t bytes_ = 0;
};

// Writes an archive to a file and hashes it on the way.
class Packer {
  public:
    Packer(FileDescriptor out, PackOptions options)
        : out_(std::move(out)), options_(options), buffer_(kBlockBytes), to_(archive_write_new()) {}

    Result<HashedFile> run(FileDescriptor root) {
        archive_write_set_format_gnutar(to_.get());
        archive_write_set_bytes_per_block(to_.get(), 1 << 16);
        archive_write_set_bytes_in_last_block(to_.get(), 1);
        if (archive_write_open(to_.get(), this, nullptr, &Packer::on_bytes, nullptr) != ARCHIVE_OK)
            return fail_archive(to_.get(), "starting the archive");
        TRY(folder(std::move(root), "", 0));
        if (archive_write_close(to_.get()) != ARCHIVE_OK) return broken("ending the archive");
        if (fsync(out_.get()) != 0) return fail_errno(errno, "syncing the archive");
        return HashedFile{hash_.finish(), bytes_};
    }

  private:
    static la_ssize_t on_bytes(archive* a, void* self, const void* data, std::size_t size) {
        return static_cast<Packer*>(self)->write_out(a, {static_cast<const char*>(data), size});
    }
    la_ssize_t write_out(archive* a, std::string_view bytes) {
        const auto size = static_cast<la_ssize_t>(bytes.size());
        bytes_ += size;
        if (bytes_ > options_.bytes_max) {
            too_large_ = true;
            archive_set_error(a, EFBIG, "too large");
            return -1;
        }
        hash_.update(bytes);
        while (!bytes.empty()) {
            const ssize_t wrote = write(out_.get(), bytes.data(), bytes.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) {
                archive_set_error(a, errno, "%s", "writing the archive failed");
                return -1;
            }
            bytes.remove_prefix(static_cast<std::size_t>(wrote));
        }
        return size;
    }
    std::unexpected<Error> broken(std::string_view what) {
        if (too_large_)
            return fail(
                ErrorCode::resource_exhausted,
                fmt::format(
                    "the directory is larger than the {} MiB that can be stored",
                    options_.bytes_max >> 20
                )
            );
        const char* text = archive_error_string(to_.get());
        return fail(
            ErrorCode::internal,
            fmt::format("{}: {}", what, text == nullptr ? "unknown error" : text)
        );
    }

    static Result<std::vector<std::string>> names_in(int descriptor, const std::string& path) {
        DIR* listing = fdopendir(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
        if (listing == nullptr) return fail_errno(errno, path);
        const std::unique_ptr<DIR, int (*)(DIR*)> closed(listing, closedir);
        rewinddir(listing);
        std::vector<std::string> names;
        while (const dirent* found = readdir(listing)) names.emplace_back(found->d_name);
        std::ranges::sort(names);
        return names;
    }

    Result<void> folder(FileDescriptor at, const std::string& path, std::size_t depth) {
        if (depth > kArchiveDepthMax)
            return fail(
                ErrorCode::resource_exhausted, fmt::format("'{}' lies too deep to be packed", path)
            );
        for (const std::string& name : TRY(names_in(at.get(), path))) {
            if (name == "." || name == "..") continue;
            if (options_.only_complete && (name.starts_with('.') || name.ends_with(".tmp")))
                continue;
            if (++entries_ > kArchiveEntriesMax)
                return fail(
                    ErrorCode::resource_exhausted,
                    fmt::format("the directory has more than {} files", kArchiveEntriesMax)
                );
            TRY(entry(at.get(), name, path.empty() ? name : path + "/" + name, depth));
        }
        return {};
    }

    Result<void> entry(
        int parent, const std::string& name, const std::string& path, std::size_t depth
    ) {
        struct stat about{};
        if (fstatat(parent, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) return vanished(path);
        if (S_ISDIR(about.st_mode)) {
            FileDescriptor below(
                openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            );
            if (!below.is_open()) return vanished(path);
            TRY(header(path, about, nullptr));
            return folder(std::move(below), path, depth + 1);
        }
        if (S_ISLNK(about.st_mode)) {
            std::vector<char> target(kArchivePathBytesMax + 1);
            const ssize_t size =
                readlinkat(parent, name.c_str(), target.data(), kArchivePathBytesMax);
            if (size < 0) return vanished(path);
            const std::string text(target.data(), static_cast<std::size_t>(size));
            return link_stays_inside(text, depth) ? header(path, about, text.c_str())
                                                  : Result<void>{};
        }
        if (!S_ISREG(about.st_mode)) return {};
        return file(parent, name, path);
    }

    // Written aside and renamed, a file never changes once it has its name; that makes it safe to
    // read while the task runs. What does change is told apart by its size and times.
    Result<void> file(int parent, const std::string& name, const std::string& path) {
        const FileDescriptor source(
            openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        );
        struct stat before{};
        if (!source.is_open() || fstat(source.get(), &before) != 0) return vanished(path);
        TRY(header(path, before, nullptr));
        std::int64_t left = before.st_size;
        while (left > 0) {
            const auto want = static_cast<std::size_t>(std::min<std::int64_t>(left, kBlockBytes));
            const ssize_t got = read(source.get(), buffer_.data(), want);
            if (got < 0) return fail_errno(errno, path);
            if (got == 0) return vanished(path);
            if (archive_write_data(to_.get(), buffer_.data(), static_cast<std::size_t>(got)) < 0)
                return broken(path);
            left -= got;
        }
        struct stat after{};
        if (fstat(source.get(), &after) != 0 || after.st_size != before.st_size ||
            after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
            after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
            return vanished(path);
        return {};
    }

    Result<void> header(
        const std::string& path, const struct stat& about, const char* link_target
    ) {
        const Entry e(archive_entry_new());
        archive_entry_set_pathname(e.get(), path.c_str());
        archive_entry_set_mode(e.get(), about.st_mode & (S_IFMT | 0777));
        archive_entry_set_size(e.get(), S_ISREG(about.st_mode) ? about.st_size : 0);
        archive_entry_set_mtime(e.get(), about.st_mtim.tv_sec, 0);
        if (link_target != nullptr) archive_entry_set_symlink(e.get(), link_target);
        if (archive_write_header(to_.get(), e.get()) < ARCHIVE_WARN) return broken(path);
        return {};
    }

    static std::unexpected<Error> vanished(const std::string& path) {
        return fail(
            ErrorCode::conflict,
            fmt::format(
                "'{}' changed while it was being packed; write it under a name that "
                "ends in .tmp and rename it when it is complete",
                path
            )
        );
    }

    FileDescriptor out_;
    PackOptions options_;
    std::vector<char> buffer_;
    Archive to_;
    ContentHash hash_;
    std::int64_t bytes_ = 0;
    std::int64_t entries_ = 0;
    bool too_large_ = false;
};

}  // namespace

Result<void> unpack(
    const std::string& archive_path, const std::string& directory, UnpackLimits limits
) {
    FileDescriptor root(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.is_open()) return fail_errno(errno, directory);
    const Archive from(archive_read_new());
    archive_read_support_format_tar(from.get());
    archive_read_support_format_empty(from.get());
    archive_read_support_filter_gzip(from.get());
    archive_read_support_filter_zstd(from.get());
    archive_read_set_options(
        from.get(), "hdrcharset=BINARY"
    );  // names are bytes, whatever the locale
    if (archive_read_open_filename(from.get(), archive_path.c_str(), kBlockBytes) != ARCHIVE_OK)
        return fail_archive(from.get(), "this is not a tar archive");
    Unpacker unpacker(from.get(), std::move(root), limits);
    archive_entry* e = nullptr;
    for (;;) {
        const int status = archive_read_next_header(from.get(), &e);
        if (status == ARCHIVE_EOF) return {};
        if (status < ARCHIVE_WARN) return fail_archive(from.get(), "the archive cannot be read");
        TRY(unpacker.entry(e));
    }
}

Result<HashedFile> pack(
    const std::string& directory, const std::string& archive_path, PackOptions options
) {
    FileDescriptor root(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root.is_open()) return fail_errno(errno, directory);
    FileDescriptor out(
        open(archive_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)
    );
    if (!out.is_open()) return fail_errno(errno, archive_path);
    Result<HashedFile> packed = Packer(std::move(out), options).run(std::move(root));
    if (!packed) unlink(archive_path.c_str());
    return packed;
}

}  // namespace penstock::agent
