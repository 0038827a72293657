// SPDX-License-Identifier: Apache-2.0
// What is hashed, integers little-endian, 64 bits wide:
//   chain   = count member*
//   member  = id kind debit credit amount? pending_id deadline? code text text
//   id      = high low                     (also debit, credit, pending_id)
//   value?  = 0 0 | 1 value
//   text    = byte-count bytes             (ref_type, ref_id)
// The first 128 bits of SHA-256 over it are kept: enough against chance and against a client that
// looks for two requests of one hash, who could only contradict himself.
#include "ledger/request_hash.h"

#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace penstock::ledger {
namespace {

static_assert(
    std::endian::native == std::endian::little, "the encoding copies integers as they are"
);

class Encoder {
  public:
    explicit Encoder(std::vector<unsigned char>& bytes) : bytes_(bytes) { bytes_.clear(); }
    void integer(std::uint64_t value) { append(&value, sizeof value); }
    void id(const RawId& id) {
        integer(id.high);
        integer(id.low);
    }
    void optional(bool present, std::int64_t value) {
        integer(present ? 1 : 0);
        integer(static_cast<std::uint64_t>(value));
    }
    void text(const std::string& text) {
        integer(text.size());
        append(text.data(), text.size());
    }

  private:
    void append(const void* data, std::size_t size) {
        const std::size_t at = bytes_.size();
        bytes_.resize(at + size);
        if (size > 0) std::memcpy(bytes_.data() + at, data, size);
    }
    std::vector<unsigned char>& bytes_;
};

void encode(Encoder& out, const TransferRequest& request) {
    out.id(request.id.raw());
    out.integer(static_cast<std::uint64_t>(request.kind));
    out.id(request.debit.raw());
    out.id(request.credit.raw());
    out.optional(request.amount.has_value(), request.amount ? request.amount->micro() : 0);
    out.id(request.pending_id.raw());
    out.optional(
        request.deadline.has_value(),
        request.deadline ? request.deadline->time_since_epoch().count() : 0
    );
    out.integer(static_cast<std::uint64_t>(request.code));
    out.text(request.ref_type);
    out.text(request.ref_id);
}

}  // namespace

struct RequestHasher::Context {
    EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    EVP_MD_CTX* digest = EVP_MD_CTX_new();
    std::vector<unsigned char> bytes;

    Context() { CHECK(sha256 != nullptr && digest != nullptr, "OpenSSL always has SHA-256"); }
    ~Context() {
        EVP_MD_CTX_free(digest);
        EVP_MD_free(sha256);
    }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
};

RequestHasher::RequestHasher() : context_(std::make_unique<Context>()) {}
RequestHasher::~RequestHasher() = default;
RequestHasher::RequestHasher(RequestHasher&&) noexcept = default;
RequestHasher& RequestHasher::operator=(RequestHasher&&) noexcept = default;

RequestHash RequestHasher::of_chain(std::span<const TransferRequest> chain) {
    Encoder out(context_->bytes);
    out.integer(chain.size());
    for (const TransferRequest& request : chain) encode(out, request);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    const bool done =
        EVP_DigestInit_ex2(context_->digest, context_->sha256, nullptr) == 1 &&
        EVP_DigestUpdate(context_->digest, context_->bytes.data(), context_->bytes.size()) == 1 &&
        EVP_DigestFinal_ex(context_->digest, digest.data(), nullptr) == 1;
    CHECK(done, "hashing bytes in memory cannot fail");
    RequestHash hash;
    std::memcpy(&hash.value.high, digest.data(), sizeof hash.value.high);
    std::memcpy(&hash.value.low, digest.data() + 8, sizeof hash.value.low);
    return hash;
}

RequestHash member_hash(const RequestHash& chain, std::size_t index) {
    return RequestHash{RawId{chain.value.high, chain.value.low + index}};
}

}  // namespace penstock::ledger
