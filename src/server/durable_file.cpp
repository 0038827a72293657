// SPDX-License-Identifier: Apache-2.0
#include "server/durable_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace penstock::server {
namespace {

Result<void> sync_folder(const std::filesystem::path& folder) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = fd >= 0 && ::fsync(fd) == 0;
    const int number = errno;
    if (fd >= 0) ::close(fd);
    if (!synced) return disk_error(folder, number);
    return {};
}

}  // namespace

std::unexpected<Error> disk_error(const std::filesystem::path& path, int number) {
    const ErrorCode code = number == ENOSPC || number == EDQUOT ? ErrorCode::resource_exhausted
                                                                : ErrorCode::unavailable;
    return fail_field(
        code, "state_dir",
        "cannot write " + path.string() + ": " + std::strerror(number) +
            "; make room or mend the disk"
    );
}

IncomingFile::IncomingFile(std::filesystem::path path)
    : path_(std::move(path)), digest_(EVP_MD_CTX_new()) {
    fd_ = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    EVP_DigestInit_ex(digest_, EVP_sha256(), nullptr);
}

IncomingFile::~IncomingFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!done_) ::unlink(path_.c_str());
    EVP_MD_CTX_free(digest_);
}

Result<void> IncomingFile::write(std::string_view bytes) {
    if (fd_ < 0) return disk_error(path_, errno);
    EVP_DigestUpdate(digest_, bytes.data(), bytes.size());
    bytes_ += bytes.size();
    while (!bytes.empty()) {
        const ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return disk_error(path_, errno);
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
}

std::string IncomingFile::hash() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    EVP_DigestFinal_ex(digest_, digest.data(), &length);
    std::string hex;
    constexpr std::string_view kHex = "0123456789abcdef";
    for (unsigned int i = 0; i < length; ++i) {
        hex += kHex[digest.at(i) >> 4];
        hex += kHex[digest.at(i) & 15];
    }
    return hex;
}

Result<void> IncomingFile::finish(const std::filesystem::path& target) {
    if (fd_ < 0 || ::fsync(fd_) != 0 || ::rename(path_.c_str(), target.c_str()) != 0)
        return disk_error(target, errno);
    done_ = true;
    return sync_folder(target.parent_path());
}

Result<void> write_durably(
    const std::filesystem::path& path, std::uint64_t offset, std::string_view bytes
) {
    const bool is_new = !std::filesystem::exists(path);
    const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool fine = fd >= 0;
    while (fine && !bytes.empty()) {
        const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (wrote < 0 && errno == EINTR) continue;
        fine = wrote >= 0;
        if (!fine) break;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
        offset += static_cast<std::uint64_t>(wrote);
    }
    fine = fine && ::fdatasync(fd) == 0;
    const int number = errno;
    if (fd >= 0) ::close(fd);
    if (!fine) return disk_error(path, number);
    if (is_new) return sync_folder(path.parent_path());
    return {};
}

}  // namespace penstock::server
