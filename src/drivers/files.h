// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

// Files as the records of a run need them: whole, durable, or exclusive.
namespace penstock::drivers {

// Owns one descriptor.
class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int number) : number_(number) {}
    FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept;
    ~FileDescriptor() { close(); }
    int get() const { return number_; }
    bool is_open() const { return number_ >= 0; }
    int release() { return std::exchange(number_, -1); }
    void close();

  private:
    int number_ = -1;
};

constexpr std::size_t kFileBytesMax = std::size_t{8}
                                      << 20;  // of a record; a larger one is an error

// "PATH: No such file or directory", with the code that fits errno.
std::unexpected<Error> fail_errno(int error, std::string_view what);

// not_found when there is no such file.
Result<std::string> read_file(const std::string& path);
bool exists(const std::string& path);
Result<void> make_directory(const std::string& path, mode_t mode);  // it may exist already
// One write(2): for the control files of the kernel.
Result<void> write_control(const std::string& path, std::string_view text);
// Not durable: for what is written again before it is used after a crash of the host.
Result<void> write_file(const std::string& path, std::string_view text, mode_t mode);
// The same, but a reader sees the old or the new content.
Result<void> replace_file(const std::string& path, std::string_view text, mode_t mode);
// Afterwards the file has the old or the new content, also over a crash of the host.
Result<void> write_durably(const std::string& path, std::string_view text, mode_t mode = 0600);
// As write_durably, but conflict when the file exists already.
Result<void> write_exclusively(const std::string& path, std::string_view text);
// Removes a tree of any depth and any modes. Nobody may be working in it. It may be absent.
Result<void> remove_tree(const std::string& path);
// Gives a tree to a user, following no link.
Result<void> change_owner(const std::string& path, uid_t uid, gid_t gid);

// Holds an exclusive flock(2) on a file for as long as it lives; waits for it.
class FileLock {
  public:
    static Result<FileLock> take(const std::string& path);

  private:
    explicit FileLock(FileDescriptor file) : file_(std::move(file)) {}
    FileDescriptor file_;
};

}  // namespace penstock::drivers
