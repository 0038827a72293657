// SPDX-License-Identifier: Apache-2.0
#include "cli/invocation.h"

#include <boost/json.hpp>
#include <charconv>
#include <iostream>

#include "model/identifier.h"

namespace penstock::cli {
namespace {

// -v: one line for each call. `terminal` outlives the client.
auto call_log(const Terminal& terminal) {
    return
        [&terminal](std::string_view method, std::string_view target, int status, Duration took) {
            const std::string answer = status == 0 ? "no answer" : std::to_string(status);
            terminal.say(
                "> " + std::string(method) + " " + std::string(target) + "  " + answer + "  " +
                std::to_string(to_ms(took)) + " ms"
            );
        };
}

}  // namespace

Result<client::Client*> Invocation::client() {
    if (client_made == nullptr) {
        TRY(need_endpoint(settings));
        client::ConnectionOptions options{
            .endpoint = settings.endpoint.value,
            .key = settings.key.value,
            .ca_file = settings.ca_file.value
        };
        if (verbosity > 0) options.observe = call_log(terminal);
        if (verbosity > 1)
            for (const Setting* setting : {&settings.context, &settings.endpoint})
                terminal.say("> " + setting->value + " (" + setting->source + ")");
        client_made = std::make_unique<client::Client>(runtime, random, std::move(options));
    }
    return client_made.get();
}

Result<std::string> name_of(std::string_view text, std::string_view noun) {
    const std::size_t slash = text.find('/');
    // A C-URL has slashes of its own.
    if (slash == std::string_view::npos || text.contains("://")) return std::string(text);
    const std::string_view type = text.substr(0, slash);
    const std::string_view name = text.substr(slash + 1);
    // Nodes of two sites may have one name: "centre/node-1" tells them apart.
    if (noun == "node" && type != "node" && type != "nodes") return std::string(text);
    if (type != noun && type != std::string(noun) + "s")
        return fail(
            ErrorCode::not_found, "'" + std::string(text) + "' is no " + std::string(noun) +
                                      ": write " + std::string(noun) + "/NAME or the name alone"
        );
    if (name.empty())
        return fail(
            ErrorCode::invalid_argument,
            "'" + std::string(text) + "' names nothing behind the slash"
        );
    return std::string(name);
}

Result<std::optional<std::int64_t>> integer_flag(
    const Arguments& arguments, std::string_view flag
) {
    const std::optional<std::string> text = arguments.value(flag);
    if (!text) return std::nullopt;
    std::int64_t number = 0;
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, number);
    if (error != std::errc{} || stop != end || number < 0)
        return fail_field(
            ErrorCode::invalid_argument, "--" + std::string(flag),
            "'" + *text + "' is no whole number from 0 on"
        );
    return number;
}

Result<std::optional<Duration>> duration_flag(const Arguments& arguments, std::string_view flag) {
    const std::optional<std::string> text = arguments.value(flag);
    if (!text) return std::nullopt;
    Result<Duration> span = parse_duration(*text);
    if (!span)
        return fail_field(
            ErrorCode::invalid_argument, "--" + std::string(flag), std::move(span.error().message)
        );
    return *span;
}

Result<bool> confirmed(const Invocation& invocation, MessageKey question) {
    if (invocation.has("yes")) return true;
    const Terminal& terminal = invocation.terminal;
    if (invocation.settings.no_input || !terminal.in_is_terminal || !terminal.err_is_terminal)
        return fail(
            ErrorCode::invalid_argument,
            std::string(text(
                invocation.language, invocation.settings.no_input
                                         ? MessageKey("confirm.no_input")
                                         : MessageKey("confirm.no_terminal")
            ))
        );
    terminal.out.flush();
    terminal.err << text(invocation.language, question) << " [y/N] " << std::flush;
    std::string answer;
    std::getline(terminal.in, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

Result<client::ListQuery> list_query(const Invocation& invocation) {
    const std::optional<std::int64_t> limit = TRY(integer_flag(invocation.arguments, "limit"));
    if (limit && *limit == 0)
        return fail_field(
            ErrorCode::invalid_argument, "--limit", "must be 1 or more; --all gives everything"
        );
    client::ListQuery query;
    query.filter = invocation.arguments.value_or("filter", "");
    query.order_by = invocation.arguments.value_or("sort", "");
    query.page_size = limit;
    if (!limit && !invocation.has("all")) query.page_size = kListLimitDefault;
    return query;
}

template <class Page>
io::Task<Result<int>> print_list(
    Invocation* invocation, std::string path, const View* view, http::Query more
) {
    client::ListQuery query = CO_TRY(list_query(*invocation));
    query.more = std::move(more);
    client::Client* client = CO_TRY(invocation->client());
    json::Value page;
    if (invocation->has("all"))
        page = json::encode(CO_TRY(co_await client->list_all<Page>(std::move(path), query)));
    else
        page = json::encode(CO_TRY(co_await client->list<Page>(std::move(path), query)));
    CO_TRY(invocation->printer.list(*view, page));
    co_return kExitOk;
}

#define PENSTOCK_PRINT_LIST(Page)                          \
    template io::Task<Result<int>> print_list<Page>(       \
        Invocation*, std::string, const View*, http::Query \
    )
PENSTOCK_PRINT_LIST(TaskPage);
PENSTOCK_PRINT_LIST(AttemptPage);
PENSTOCK_PRINT_LIST(ItemPage);
PENSTOCK_PRINT_LIST(SitePage);
PENSTOCK_PRINT_LIST(NodePage);
PENSTOCK_PRINT_LIST(OfferPage);
PENSTOCK_PRINT_LIST(KeyPage);
PENSTOCK_PRINT_LIST(OrganisationPage);
PENSTOCK_PRINT_LIST(ProjectPage);
PENSTOCK_PRINT_LIST(EndpointPage);
PENSTOCK_PRINT_LIST(GatewayPage);
PENSTOCK_PRINT_LIST(GatewayRoutePage);
PENSTOCK_PRINT_LIST(GatewayLeasePage);
PENSTOCK_PRINT_LIST(ModelPage);
PENSTOCK_PRINT_LIST(BillPage);
PENSTOCK_PRINT_LIST(IdentifierPage);
#undef PENSTOCK_PRINT_LIST

}  // namespace penstock::cli
