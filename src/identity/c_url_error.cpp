// SPDX-License-Identifier: Apache-2.0
#include "identity/c_url_error.h"

#include <array>
#include <utility>

namespace penstock::identity {
namespace {

constexpr std::array<std::string_view, 11> kNames = {
    "too_long", "bad_charset", "bad_scheme",    "bad_authority", "bad_reg",  "bad_check",
    "reserved", "bad_part",    "not_canonical", "bad_query",     "bad_view",
};
static_assert(kNames.size() == static_cast<std::size_t>(CUrlErrorCode::bad_view) + 1);

}  // namespace

std::string_view to_string(CUrlErrorCode code) { return kNames.at(static_cast<std::size_t>(code)); }

std::string to_string(const CUrlError& error) {
    std::string text(to_string(error.code));
    text += " at octet " + std::to_string(error.position) + ": " + error.message;
    if (!error.remedy.empty()) text += "; " + error.remedy;
    return text;
}

Error to_error(const CUrlError& error, std::string field) {
    return Error{ErrorCode::invalid_argument, to_string(error), std::move(field)};
}

}  // namespace penstock::identity
