// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"

namespace penstock::identity {

// Why a text is no C-URL, in the order in which the reasons are decided: of several mistakes the
// earliest kind is told, so that every implementation gives the same answer. Parts are judged from
// left to right, each first for bad_part, then for not_canonical.
enum class CUrlErrorCode : std::uint8_t {
    too_long,
    bad_charset,
    bad_scheme,
    bad_authority,
    bad_reg,
    bad_check,
    reserved,
    bad_part,
    not_canonical,
    bad_query,
    bad_view,
};
std::string_view to_string(CUrlErrorCode code);

struct CUrlError {
    CUrlErrorCode code{};
    std::size_t position = 0;  // octet of the text at which it went wrong, from 0
    std::string message;       // what is wrong there
    std::string remedy;        // what to write instead
    bool operator==(const CUrlError&) const = default;
};
template <class T>
using Parsed = std::expected<T, CUrlError>;

// "bad_check at octet 47: the check character is A; the code before it needs F".
std::string to_string(const CUrlError& error);
// The same as an invalid_argument for the caller's `field`.
Error to_error(const CUrlError& error, std::string field = {});

}  // namespace penstock::identity
