// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"

namespace penstock {

// 128 bits that sort by the time they were made: 48 bits of Unix milliseconds, then 80 random bits.
struct RawId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    auto operator<=>(const RawId&) const = default;
};
// 26 Crockford base-32 characters, lower case.
std::string to_string(const RawId& id);
Result<RawId> parse_raw_id(std::string_view text);

// A typed id. `Tag::kPrefix` goes in front of its text ("tk_01jd…"), so that a person sees what an
// id names and one kind can never be passed for another.
template <class Tag>
class Id {
  public:
    constexpr Id() = default;
    constexpr explicit Id(RawId raw) : raw_(raw) {}
    const RawId& raw() const { return raw_; }
    bool is_nil() const { return raw_ == RawId{}; }
    auto operator<=>(const Id&) const = default;

    static Result<Id> parse(std::string_view text) {
        const std::string_view prefix = Tag::kPrefix;
        if (text.size() <= prefix.size() + 1 || !text.starts_with(prefix) ||
            text[prefix.size()] != '_')
            return fail(
                ErrorCode::invalid_argument,
                "'" + std::string(text) + "' is not an id of the form " + std::string(prefix) + "_…"
            );
        return Id(TRY(parse_raw_id(text.substr(prefix.size() + 1))));
    }

  private:
    RawId raw_;
};

template <class Tag>
std::string to_string(const Id<Tag>& id) {
    return std::string(Tag::kPrefix) + "_" + to_string(id.raw());
}

// Makes ids that rise strictly, also within one millisecond and when the clock runs back. One
// owner.
class IdSource {
  public:
    explicit IdSource(Random& random) : random_(random) {}
    RawId next_raw(Time now);
    template <class IdType>
    IdType next(Time now) {
        return IdType(next_raw(now));
    }

  private:
    Random& random_;
    RawId last_;
};

}  // namespace penstock

template <class Tag>
struct std::hash<penstock::Id<Tag>> {
    std::size_t operator()(const penstock::Id<Tag>& id) const noexcept {
        return static_cast<std::size_t>(id.raw().low ^ (id.raw().high * 0x9E3779B97F4A7C15ULL));
    }
};
