// SPDX-License-Identifier: Apache-2.0
#include "client/content_hash.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/check.h"

namespace penstock::client {
namespace {
constexpr std::size_t kPieceBytes = 256UL * 1024;
}

struct ContentHash::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

ContentHash::ContentHash() : state_(std::make_unique<State>()) {
    CHECK(
        EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1, "OpenSSL always has SHA-256"
    );
}
ContentHash::~ContentHash() = default;
ContentHash::ContentHash(ContentHash&&) noexcept = default;
ContentHash& ContentHash::operator=(ContentHash&&) noexcept = default;

void ContentHash::feed(std::string_view bytes) {
    CHECK(
        EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1,
        "updating an open digest cannot fail"
    );
}

std::string ContentHash::finish() {
    std::array<unsigned char, 32> digest{};
    unsigned length = 0;
    CHECK(
        EVP_DigestFinal_ex(state_->context, digest.data(), &length) == 1 && length == digest.size(),
        "a digest is finished once"
    );
    std::string text;
    for (const unsigned char octet : digest) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        text += kDigits[octet >> 4];
        text += kDigits[octet & 15];
    }
    return text;
}

std::string content_hash(std::string_view bytes) {
    ContentHash hash;
    hash.feed(bytes);
    return hash.finish();
}

Result<std::string> content_hash_of_file(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream)
        return fail(
            ErrorCode::not_found, "cannot read " + file.string() + ": " + std::strerror(errno)
        );
    ContentHash hash;
    std::string piece(kPieceBytes, '\0');
    while (stream) {
        stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        hash.feed(std::string_view(piece).substr(0, static_cast<std::size_t>(stream.gcount())));
    }
    if (!stream.eof())
        return fail(ErrorCode::internal, "reading " + file.string() + " failed half way");
    return hash.finish();
}

}  // namespace penstock::client
