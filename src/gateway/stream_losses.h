// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "dialects/canonical.h"
#include "dialects/json_tree.h"

namespace penstock::gateway {

// What a converted stream could not tell its client. Its headers have gone when that is known, so
// it is named in the stream: each name once, at its place, and all of them beside the usage. Pure.
//     : penstock {"dropped":["content[1].citations"]}
class StreamLosses {
  public:
    static constexpr std::size_t kNamesMax = 64;  // the rest is "and more"

    // Of one frame; `out` is what it became, and is marked.
    void add(const dialects::Losses& losses, dialects::Dialect client, std::string& out);
    // The stream's last events, in `out`.
    void mark_end(dialects::Dialect client, std::string& out) const;
    bool empty() const { return names_.empty(); }
    // {"dropped":[…]}
    dialects::Json mark() const;

  private:
    std::vector<std::string> names_;
};

}  // namespace penstock::gateway
