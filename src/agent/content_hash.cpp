// SPDX-License-Identifier: Apache-2.0
#include "agent/content_hash.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "base/check.h"
#include "drivers/files.h"

namespace penstock::agent {
namespace {
constexpr std::size_t kReadBytes = std::size_t{1} << 18;
}  // namespace

struct ContentHash::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

ContentHash::ContentHash() : state_(std::make_unique<State>()) {
    CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1, "SHA-256 is built in");
}
ContentHash::~ContentHash() = default;

void ContentHash::update(std::string_view bytes) {
    CHECK(
        EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1,
        "only fails after finish()"
    );
}

std::string ContentHash::finish() {
    std::array<unsigned char, 32> digest{};
    unsigned size = 0;
    CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), &size) == 1, "called once");
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : digest) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

bool is_content_hash(std::string_view text) {
    return text.size() == 64 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

Result<HashedFile> hash_file(int descriptor) {
    ContentHash hash;
    HashedFile file;
    std::vector<char> buffer(kReadBytes);
    for (;;) {
        const ssize_t got = read(descriptor, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return drivers::fail_errno(errno, "reading a file to hash it");
        if (got == 0) break;
        hash.update({buffer.data(), static_cast<std::size_t>(got)});
        file.bytes += got;
    }
    file.sha256 = hash.finish();
    return file;
}

}  // namespace penstock::agent
