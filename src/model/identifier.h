// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

// What carries a registration code.
struct Identifier {
    std::string reg;
    std::string c_url;
    std::string kind;  // site, pool, service
    std::string name;
    std::string object;  // "site/st_…"
};
BOOST_DESCRIBE_STRUCT(Identifier, (), (reg, c_url, kind, name, object))

struct IdentifierPage {
    std::vector<Identifier> identifiers;
    std::optional<std::string> next_page_token;
    std::int64_t total = 0;
};
BOOST_DESCRIBE_STRUCT(IdentifierPage, (), (identifiers, next_page_token, total))

}  // namespace penstock
