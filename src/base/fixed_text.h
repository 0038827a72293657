// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/id.h"
#include "base/time.h"

// Texts of ids and times without an allocation, for what is written at every call of the gateway.
namespace penstock {

constexpr std::size_t kRawIdBytes = 26;
constexpr std::size_t kRfc3339BytesMax = 32;
// As to_string() and to_rfc3339() have them; the end of what was written.
char* write_raw_id(const RawId& id, char* to);
char* write_rfc3339(Time time, char* to);

// "ep_01jd…"
class IdText {
  public:
    template <class Tag>
    explicit IdText(const Id<Tag>& id) {
        constexpr std::string_view kPrefix = Tag::kPrefix;
        static_assert(kPrefix.size() < kPrefixBytesMax, "prefixes of ids are short");
        char* const end = text_.data() + kPrefix.copy(text_.data(), kPrefix.size());
        *end = '_';
        size_ = static_cast<std::size_t>(write_raw_id(id.raw(), end + 1) - text_.data());
    }
    std::string_view view() const { return {text_.data(), size_}; }

  private:
    static constexpr std::size_t kPrefixBytesMax = 16;
    std::array<char, kPrefixBytesMax + kRawIdBytes> text_;
    std::size_t size_ = 0;
};

}  // namespace penstock
