// SPDX-License-Identifier: Apache-2.0
#include "gateway/answer_cache.h"

#include <cstring>

namespace penstock::gateway {

std::size_t CachedAnswer::bytes() const {
    std::size_t bytes = AnswerCache::kOverheadBytes;
    for (const std::string& write : writes) bytes += write.size() + sizeof(std::string);
    return bytes;
}

// The digest is as good as random already.
std::size_t AnswerCache::Hash::operator()(const Sha256& digest) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, digest.data(), sizeof hash);
    return hash;
}

void AnswerCache::erase(Order::iterator entry) {
    bytes_ -= entry->answer->bytes();
    entries_.erase(entry->key);
    order_.erase(entry);
}

CachedAnswerPtr AnswerCache::find(const Sha256& key, Time now) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (now >= found->second->answer->expires_at) {
        erase(found->second);
        return nullptr;
    }
    order_.splice(order_.begin(), order_, found->second);
    return order_.front().answer;
}

void AnswerCache::put(const Sha256& key, CachedAnswer answer) {
    const std::size_t bytes = answer.bytes();
    if (bytes > kAnswerBytesMax || bytes > bytes_max_) return;
    if (const auto found = entries_.find(key); found != entries_.end()) erase(found->second);
    for (; bytes_ + bytes > bytes_max_; ++evicted_) erase(std::prev(order_.end()));
    order_.push_front({key, std::make_shared<const CachedAnswer>(std::move(answer))});
    entries_[key] = order_.begin();
    bytes_ += bytes;
}

}  // namespace penstock::gateway
