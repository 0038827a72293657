// SPDX-License-Identifier: Apache-2.0
#include "ledger/history.h"

#include "base/check.h"

namespace penstock::ledger {
namespace {

std::string ref_key(std::string_view ref_type, std::string_view ref_id) {
    std::string key(ref_type);
    key += '\0';
    return key += ref_id;
}

}  // namespace

std::size_t History::IdHash::operator()(const RawId& id) const noexcept {
    const unsigned __int128 first =
        static_cast<unsigned __int128>(id.high ^ seed) * 0x9E3779B97F4A7C15ULL;
    const std::uint64_t mixed =
        static_cast<std::uint64_t>(first) ^ static_cast<std::uint64_t>(first >> 64);
    const unsigned __int128 second =
        static_cast<unsigned __int128>(id.low ^ mixed) * (0xD1B54A32D192ED03ULL ^ (seed << 1));
    return static_cast<std::size_t>(second) ^ static_cast<std::size_t>(second >> 64);
}

std::uint32_t History::intern(std::string_view ref_type, std::string_view ref_id) {
    if (ref_type.empty() && ref_id.empty()) return 0;
    const auto [found, inserted] =
        by_ref_.try_emplace(ref_key(ref_type, ref_id), static_cast<std::uint32_t>(refs_.size()));
    if (inserted) refs_.push_back(Ref{std::string(ref_type), std::string(ref_id)});
    return found->second;
}

void History::append(Row row, std::string_view ref_type, std::string_view ref_id) {
    CHECK(rows_.size() < kTransfersMax, "Ledger refuses transfers beyond kTransfersMax");
    const auto seq = static_cast<std::uint32_t>(rows_.size() + 1);
    row.ref = intern(ref_type, ref_id);
    if (row.ref != 0) row.previous_of_ref = std::exchange(refs_[row.ref].newest, seq);
    const bool fresh = by_id_.emplace(row.id, std::uint64_t{seq} * 2).second;
    CHECK(fresh, "an id is looked up before it is used");
    rows_.push_back(row);
}

void History::remove_last() {
    const Row& row = rows_.back();
    if (row.ref != 0) {
        refs_[row.ref].newest = row.previous_of_ref;
        if (row.previous_of_ref == 0 && row.ref + 1 == refs_.size()) {
            by_ref_.erase(ref_key(refs_.back().type, refs_.back().id));
            refs_.pop_back();
        }
    }
    by_id_.erase(row.id);
    rows_.pop_back();
}

void History::burn(const BurntId& burnt) {
    const bool fresh = by_id_.emplace(burnt.id.raw(), burnt_.size() * 2 + 1).second;
    CHECK(fresh, "an id is looked up before it is burnt");
    burnt_.push_back(burnt);
}

std::variant<std::monostate, std::uint64_t, const BurntId*> History::find(const RawId& id) const {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return std::monostate{};
    if (found->second % 2 == 1) return &burnt_[found->second / 2];
    return found->second / 2;
}

std::uint64_t History::newest_by_ref(std::string_view ref_type, std::string_view ref_id) const {
    const auto found = by_ref_.find(ref_key(ref_type, ref_id));
    return found == by_ref_.end() ? 0 : refs_[found->second].newest;
}

}  // namespace penstock::ledger
