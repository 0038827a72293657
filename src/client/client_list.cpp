// SPDX-License-Identifier: Apache-2.0
#include <boost/describe.hpp>
#include <iterator>

#include "client/client.h"
#include "model/identifier.h"

namespace penstock::client {
namespace {

// The first member of every page is its list.
template <class Page>
auto& entries(Page& page) {
    using Members = boost::describe::describe_members<Page, boost::describe::mod_public>;
    return page.*boost::mp11::mp_first<Members>::pointer;
}

}  // namespace

template <class Page>
io::Task<Result<Page>> Client::list(std::string path, ListQuery query) {
    http::Query parameters = query.more;
    if (query.page_size) parameters.add("page_size", std::to_string(*query.page_size));
    if (!query.page_token.empty()) parameters.add("page_token", query.page_token);
    if (!query.filter.empty()) parameters.add("filter", query.filter);
    if (!query.order_by.empty()) parameters.add("order_by", query.order_by);
    co_return co_await connection_.call_for<Page>(
        {.path = std::move(path), .query = std::move(parameters)}
    );
}

template <class Page>
io::Task<Result<Page>> Client::list_all(std::string path, ListQuery query) {
    if (!query.page_size) query.page_size = kPageSizeAll;
    Page all = CO_TRY(co_await list<Page>(path, query));
    for (int pages = 1; all.next_page_token && !all.next_page_token->empty(); ++pages) {
        if (pages >= kPagesMax)
            co_return fail(
                ErrorCode::resource_exhausted, "the list has more than " +
                                                   std::to_string(kPagesMax) +
                                                   " pages: narrow it with a filter"
            );
        query.page_token = *all.next_page_token;
        Page page = CO_TRY(co_await list<Page>(path, query));
        auto& more = entries(page);
        std::move(more.begin(), more.end(), std::back_inserter(entries(all)));
        all.next_page_token = std::move(page.next_page_token);
        all.total = page.total;
    }
    all.next_page_token.reset();
    co_return all;
}

// NOLINTBEGIN(bugprone-macro-parentheses): a type
#define PENSTOCK_LIST(Page)                                                                \
    template io::Task<Result<Page>> Client::list<Page>(std::string path, ListQuery query); \
    template io::Task<Result<Page>> Client::list_all<Page>(std::string path, ListQuery query)
// NOLINTEND(bugprone-macro-parentheses)

PENSTOCK_LIST(TaskPage);
PENSTOCK_LIST(AttemptPage);
PENSTOCK_LIST(ItemPage);
PENSTOCK_LIST(EventPage);
PENSTOCK_LIST(SitePage);
PENSTOCK_LIST(NodePage);
PENSTOCK_LIST(OfferPage);
PENSTOCK_LIST(KeyPage);
PENSTOCK_LIST(OrganisationPage);
PENSTOCK_LIST(ProjectPage);
PENSTOCK_LIST(EndpointPage);
PENSTOCK_LIST(GatewayPage);
PENSTOCK_LIST(GatewayRoutePage);
PENSTOCK_LIST(GatewayLeasePage);
PENSTOCK_LIST(ModelPage);
PENSTOCK_LIST(BillPage);
PENSTOCK_LIST(IdentifierPage);

#undef PENSTOCK_LIST

}  // namespace penstock::client
