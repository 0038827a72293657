// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::ledger {

// The names of an enum whose enumerators count from 0, in their order. Names are stored: they are
// only ever appended to.
template <std::size_t N>
using Names = std::array<std::string_view, N>;

template <class Enum, std::size_t N>
std::string_view name_in(const Names<N>& names, Enum value) {
    return names.at(static_cast<std::size_t>(value));
}

template <class Enum, std::size_t N>
Result<Enum> parse_in(const Names<N>& names, std::string_view text, std::string_view noun) {
    std::string list;
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == text) return static_cast<Enum>(i);
        list += (list.empty() ? "" : ", ") + std::string(names[i]);
    }
    return fail(
        ErrorCode::invalid_argument,
        "'" + std::string(text) + "' is not " + std::string(noun) + ": one of " + list
    );
}

}  // namespace penstock::ledger
