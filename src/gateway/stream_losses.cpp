// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_losses.h"

#include <algorithm>

#include "gateway/continuation_marks.h"
#include "http/sse.h"

namespace penstock::gateway {
namespace {

using dialects::Json;

constexpr std::string_view kMore = "and more";

Json mark_of(const std::vector<std::string>& names) {
    return Json::Object{{"dropped", Json::Array(names.begin(), names.end())}};
}

}  // namespace

void StreamLosses::add(const dialects::Losses& losses, dialects::Dialect client, std::string& out) {
    const std::size_t known = names_.size();
    for (const std::vector<std::string>* list : {&losses.said, &losses.beside})
        for (const std::string& name : *list) {
            if (names_.size() > kNamesMax || std::ranges::find(names_, name) != names_.end())
                continue;
            names_.push_back(names_.size() == kNamesMax ? std::string(kMore) : name);
        }
    // Between Ollama's lines nothing can stand: its last one tells.
    if (names_.size() == known || client == dialects::Dialect::ollama) return;
    const std::vector<std::string> fresh(
        names_.begin() + static_cast<std::ptrdiff_t>(known), names_.end()
    );
    out.insert(0, http::print_sse_comment("penstock " + dialects::print_json(mark_of(fresh))));
}

void StreamLosses::mark_end(dialects::Dialect client, std::string& out) const {
    if (!names_.empty()) put_in_usage(out, client, mark());
}

Json StreamLosses::mark() const { return mark_of(names_); }

}  // namespace penstock::gateway
