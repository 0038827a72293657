// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "server/files.h"

namespace penstock::server {
namespace {

std::unexpected<Error> disk_error(const std::filesystem::path& path, int number) {
    const ErrorCode code = number == ENOSPC || number == EDQUOT ? ErrorCode::resource_exhausted
                                                                : ErrorCode::unavailable;
    return fail_field(
        code, "state_dir",
        "cannot write " + path.string() + ": " + std::strerror(number) +
            "; make room or mend the disk"
    );
}

// A file being written and hashed; removed unless finish() renamed it.
class Incoming {
  public:
    explicit Incoming(std::filesystem::path path)
        : path_(std::move(path)), digest_(EVP_MD_CTX_new()) {
        fd_ = ::open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        EVP_DigestInit_ex(digest_, EVP_sha256(), nullptr);
    }
    ~Incoming() {
        if (fd_ >= 0) ::close(fd_);
        if (!done_) ::unlink(path_.c_str());
        EVP_MD_CTX_free(digest_);
    }
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;

    Result<void> write(std::string_view bytes) {
        if (fd_ < 0) return disk_error(path_, errno);
        EVP_DigestUpdate(digest_, bytes.data(), bytes.size());
        while (!bytes.empty()) {
            const ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) return disk_error(path_, errno);
            bytes.remove_prefix(static_cast<std::size_t>(wrote));
        }
        return {};
    }
    std::string hash() {
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
    Result<void> finish(const std::filesystem::path& target) {
        if (::fsync(fd_) != 0 || ::rename(path_.c_str(), target.c_str()) != 0)
            return disk_error(target, errno);
        done_ = true;
        const int folder = ::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0 || ::fsync(folder) != 0) return disk_error(target, errno);
        ::close(folder);
        return {};
    }

  private:
    std::filesystem::path path_;
    EVP_MD_CTX* digest_;
    int fd_ = -1;
    bool done_ = false;
};

}  // namespace

bool is_sha256(std::string_view text) {
    return text.size() == 64 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<void> BlobStore::open() {
    std::error_code error;
    std::filesystem::create_directories(directory_ / "incoming", error);
    if (error) return disk_error(directory_, error.value());
    for (const auto& left : std::filesystem::directory_iterator(directory_ / "incoming", error))
        std::filesystem::remove(left.path(), error);  // of an upload that a crash cut short
    return {};
}

std::filesystem::path BlobStore::path_of(std::string_view sha256) const {
    CHECK(is_sha256(sha256), "callers check names before they become paths");
    return directory_ / std::string(sha256.substr(0, 2)) / std::string(sha256);
}

bool BlobStore::contains(std::string_view sha256) const {
    std::error_code error;
    return std::filesystem::exists(path_of(sha256), error);
}

io::Task<Result<void>> BlobStore::receive(std::string sha256, http::BodyReader reader) {
    const std::filesystem::path target = path_of(sha256);
    std::error_code error;
    std::filesystem::create_directories(target.parent_path(), error);
    if (error) co_return disk_error(target, error.value());
    Incoming file(directory_ / "incoming" / std::to_string(++next_temporary_));
    while (true) {
        const std::string_view piece = CO_TRY(co_await reader.read());
        if (piece.empty()) break;
        CO_TRY(co_await pool_.run([&file, piece] { return file.write(piece); }));
    }
    const std::string hash = file.hash();
    if (hash != sha256)
        co_return fail_field(
            ErrorCode::invalid_argument, "sha256",
            "the body hashes to " + hash + ": it was cut or changed, send it again"
        );
    co_return co_await pool_.run([&file, &target] { return file.finish(target); });
}

}  // namespace penstock::server
