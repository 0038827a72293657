// SPDX-License-Identifier: Apache-2.0
#define OPENSSL_SUPPRESS_DEPRECATED  // SHA256_Init() and its like

#include "gateway/key_cache.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace penstock::gateway {
// By OpenSSL's own functions of SHA-256, which it calls deprecated: its EVP interface makes and
// frees a state for each hash, which costs more than hashing a key, and after a pause far more.
Sha256 sha256(std::string_view bytes) {
    Sha256 digest{};
    SHA256_CTX context;
    const bool hashed = SHA256_Init(&context) == 1 &&
                        SHA256_Update(&context, bytes.data(), bytes.size()) == 1 &&
                        SHA256_Final(digest.data(), &context) == 1;
    CHECK(hashed, "SHA-256 takes any bytes");
    return digest;
}

std::string to_hex(const Sha256& digest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(digest.size() * 2);
    for (const unsigned char byte : digest) {
        out += kDigits[byte >> 4];
        out += kDigits[byte & 0xF];
    }
    return out;
}

std::optional<Sha256> sha256_from_hex(std::string_view hex) {
    Sha256 digest{};
    if (hex.size() != digest.size() * 2) return std::nullopt;
    const auto nibble = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        return -1;
    };
    for (std::size_t i = 0; i < digest.size(); ++i) {
        const int high = nibble(hex[2 * i]);
        const int low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        digest[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return digest;
}

std::size_t KeyCache::Hash::operator()(const Sha256& digest) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, digest.data(), sizeof value);
    return value;
}

bool KeyCache::Equal::operator()(const Sha256& a, const Sha256& b) const noexcept {
    return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

KeyCache::Entry* KeyCache::Table::find(const Sha256& digest) const {
    const auto found = by_digest_.find(digest);
    return found == by_digest_.end() ? nullptr : &found->second->second;
}

void KeyCache::Table::put(const Sha256& digest, Entry entry) {
    erase(digest);
    if (by_digest_.size() >= max_) {
        by_digest_.erase(by_age_.front().first);
        by_age_.pop_front();
        ++forgotten_;
    }
    by_digest_.emplace(digest, by_age_.emplace(by_age_.end(), digest, std::move(entry)));
}

void KeyCache::Table::erase(const Sha256& digest) {
    const auto found = by_digest_.find(digest);
    if (found == by_digest_.end()) return;
    by_age_.erase(found->second);
    by_digest_.erase(found);
}

const KeyCache::Entry* KeyCache::find(const Sha256& digest) const {
    if (const Entry* known = known_.find(digest)) return known;
    return unknown_.find(digest);
}

KeyCache::Entry KeyCache::put_known(const Sha256& digest, ResolvedKey key, Time now) {
    Entry entry{.fresh_until = now + std::clamp(key.cache_for, Duration{0}, kKnownMax)};
    entry.told_at = now;
    entry.good_until = entry.fresh_until + kBesideMax;
    entry.key = std::make_shared<const ResolvedKey>(std::move(key));
    unknown_.erase(digest);
    known_.put(digest, entry);
    return entry;
}

KeyCache::Entry KeyCache::put_unknown(const Sha256& digest, Time now) {
    const Entry entry{.key = nullptr, .fresh_until = now + kUnknownFor, .told_at = now};
    known_.erase(digest);
    unknown_.put(digest, entry);
    return entry;
}

std::vector<std::pair<Sha256, KeyCache::Entry>> KeyCache::known(Time now) const {
    std::vector<std::pair<Sha256, Entry>> out;
    out.reserve(known_.size());
    for (const auto& [digest, entry] : known_.entries()) {
        const bool expired = entry.key->expires_at && now >= *entry.key->expires_at;
        if (!expired && now <= entry.fresh_until + kStaleMax) out.emplace_back(digest, entry);
    }
    return out;
}

void KeyCache::renew(std::string_view sha256_hex, Time now) {
    const std::optional<Sha256> digest = sha256_from_hex(sha256_hex);
    Entry* found = digest ? known_.find(*digest) : nullptr;
    if (found == nullptr) return;
    found->fresh_until = std::min(found->fresh_until, now);
    found->good_until = found->fresh_until;
}

void KeyCache::revoke(std::string_view sha256_hex, Time now) {
    if (const auto digest = sha256_from_hex(sha256_hex)) put_unknown(*digest, now);
}

}  // namespace penstock::gateway
