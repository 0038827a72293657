// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>
#include <string>

#include "routing/api_error.h"
#include "server/api.h"

namespace penstock::server {

// Registers routes of OpenAI's API that the server answers itself, because it keeps their state:
// errors have OpenAI's shape, and every key needs the scope `tokens`.
class OpenAiRoutes {
  public:
    OpenAiRoutes(Api& api, http::Router& router) : api_(api), router_(router) {}

    using Handler = std::function<io::Task<http::Response>(access::Principal, http::Request)>;
    void add(
        std::string_view method, std::string_view pattern, RouteDoc doc, Handler handler,
        http::RouteOptions options = {}
    );
    Api& api() { return api_; }

  private:
    io::Task<http::Response> run(http::Request request, const Handler* handler);
    Api& api_;
    http::Router& router_;
};

// The answer of a command, kept with its change for the client's Idempotency-Key where it sent one:
// a request that is repeated gets it again, and nothing is made twice.
void keep_for_repetition(
    Platform& platform, Change& change, const access::Principal& principal,
    const http::Request& request, const std::string& body
);

http::Response openai_error(const Error& error);
http::Response openai_error(const std::vector<Error>& errors);

// The object, sent when all that was changed before is durable.
io::Task<http::Response> openai_answer(Platform* platform, std::string body, int status = 200);

// What a page of OpenAI's lists asks for: after, limit, order.
struct OpenAiPage {
    std::string after;  // id of the last one before it; empty: from the first
    std::size_t limit = 0;
    bool newest_first = true;
};
Result<OpenAiPage> openai_page(
    const http::Request& request, std::size_t limit_default, std::size_t limit_max
);

// Fills a list of OpenAI's shape from ids in ascending order of their making.
template <class List, class Id, class Show>
Result<List> openai_list(std::vector<Id> ids, const OpenAiPage& page, Show show) {
    if (page.newest_first) std::ranges::reverse(ids);
    auto from = ids.begin();
    if (!page.after.empty()) {
        const Result<Id> after = Id::parse(page.after);
        from = after ? std::ranges::find(ids, *after) : ids.end();
        if (from == ids.end())
            return fail_field(
                ErrorCode::invalid_argument, "after", "'" + page.after + "' is not in this list"
            );
        ++from;
    }
    List list;
    for (; from != ids.end() && list.data.size() < page.limit; ++from)
        list.data.push_back(show(*from));
    list.has_more = from != ids.end();
    if (!list.data.empty()) {
        list.first_id = list.data.front().id;
        list.last_id = list.data.back().id;
    }
    return list;
}

}  // namespace penstock::server
