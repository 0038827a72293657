// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/check.h"

// Values whose greatest size the grammar fixes live inside their owner, so that reading a C-URL
// allocates nothing. Exceeding a capacity is a defect of the caller: the process stops.
namespace penstock::identity {

// At most `Capacity` characters.
template <std::size_t Capacity>
class InlineText {
  public:
    static_assert(Capacity < 256, "the size is one octet");
    static constexpr std::size_t kCapacity = Capacity;
    constexpr InlineText() = default;
    constexpr explicit InlineText(std::string_view text) { assign(text); }
    constexpr void assign(std::string_view text) {
        CHECK(text.size() <= Capacity, "callers test the length against the layout first");
        std::ranges::copy(text, characters_.begin());
        size_ = static_cast<std::uint8_t>(text.size());
    }
    constexpr std::string_view view() const { return {characters_.data(), size_}; }
    constexpr bool empty() const { return size_ == 0; }
    constexpr bool operator==(const InlineText& other) const { return view() == other.view(); }
    constexpr bool operator==(std::string_view other) const { return view() == other; }
    constexpr auto operator<=>(const InlineText& other) const { return view() <=> other.view(); }

  private:
    std::array<char, Capacity> characters_{};
    std::uint8_t size_ = 0;
};

// Exactly `Length` characters; "000…" until assigned.
template <std::size_t Length>
class FixedText {
  public:
    static constexpr std::size_t kLength = Length;
    constexpr FixedText() { characters_.fill('0'); }
    constexpr explicit FixedText(std::string_view text) {
        CHECK(text.size() == Length, "callers test the length against the layout first");
        std::ranges::copy(text, characters_.begin());
    }
    constexpr std::string_view view() const { return {characters_.data(), Length}; }
    constexpr bool operator==(const FixedText&) const = default;
    constexpr bool operator==(std::string_view other) const { return view() == other; }
    constexpr auto operator<=>(const FixedText&) const = default;

  private:
    std::array<char, Length> characters_;
};

// At most `Capacity` values, in order.
template <class T, std::size_t Capacity>
class InlineList {
  public:
    static constexpr std::size_t kCapacity = Capacity;
    constexpr InlineList() = default;
    constexpr InlineList(std::initializer_list<T> values) {
        for (const T& value : values) push_back(value);
    }
    constexpr void push_back(T value) {
        CHECK(size_ < Capacity, "callers test the count against the layout first");
        values_[size_++] = value;
    }
    constexpr std::size_t size() const { return size_; }
    constexpr bool empty() const { return size_ == 0; }
    constexpr bool full() const { return size_ == Capacity; }
    constexpr const T& operator[](std::size_t index) const {
        CHECK(index < size_, "an index below size()");
        return values_[index];
    }
    constexpr const T& back() const { return (*this)[size_ - 1]; }
    constexpr const T* begin() const { return values_.data(); }
    constexpr const T* end() const { return values_.data() + size_; }
    constexpr bool operator==(const InlineList& other) const {
        return std::ranges::equal(*this, other);
    }

  private:
    std::array<T, Capacity> values_{};
    std::size_t size_ = 0;
};

}  // namespace penstock::identity
