// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <iostream>
#include <iterator>

#include "cli/invocation.h"
#include "cli/nouns.h"
#include "cli/site_outlook.h"
#include "config/settings.h"

namespace penstock::cli {
namespace {

const View& view() {
    static const View kView{
        .plural = "sites",
        .singular = "site",
        .columns =
            {
                text_column("NAME", "spec.name"),
                text_column("PROVIDER", "provider"),
                text_column("REGION", "spec.region"),
                text_column("TRUST", "spec.trust"),
                number_column("GREEN%", "spec.green_percent"),
                number_column("RTT-MS", "spec.rtt_ms"),
                amount_column("CORE-SECOND", "spec.prices.core_second"),
                amount_column("GIB-SECOND", "spec.prices.gib_second"),
                wide(text_column("CARD-SECOND", "spec.prices.card_second")),
                wide(text_column("PLACEMENT", "spec.placement")),
                wide(text_column("ID", "id")),
                wide(text_column("C-URL", "c_url")),
                wide(number_column("PRICE-VERSION", "price_version")),
                age_column("AGE", "created_at"),
            },
        .id = "spec.name",
    };
    return kView;
}

Result<SiteSpec> read_spec(const Invocation& invocation) {
    const std::optional<std::string> name = invocation.arguments.value("file");
    if (!name)
        return fail_field(
            ErrorCode::invalid_argument, "--file",
            "is missing: name the site's file with -f site.yaml"
        );
    std::string content;
    if (*name == "-")
        content.assign(std::istreambuf_iterator<char>(invocation.terminal.in), {});
    else
        content = TRY(config::read_file(invocation.surroundings.working_folder / *name));
    std::expected<SiteSpec, std::vector<Error>> spec = config::parse<SiteSpec>(content, *name);
    if (!spec) return fail(ErrorCode::invalid_argument, config::render(spec.error()));
    return *std::move(spec);
}

io::Task<Result<int>> create(Invocation* invocation) {
    const SiteSpec spec = CO_TRY(read_spec(*invocation));
    client::Client* client = CO_TRY(invocation->client());
    const Site site = CO_TRY(co_await client->create_site(spec));
    CO_TRY(print_object(*invocation, view(), site));
    if (invocation->printer.for_people()) invocation->say("site.next", site.spec.name);
    co_return kExitOk;
}

io::Task<Result<int>> list(Invocation* invocation) {
    co_return co_await print_list<SitePage>(invocation, "/v1/sites", &view());
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string name = CO_TRY(name_of(invocation->operand(0), "site"));
    CO_TRY(print_object(*invocation, view(), CO_TRY(co_await client->site(name))));
    if (invocation->printer.for_people()) co_await say_outlook(invocation, name);
    co_return kExitOk;
}

io::Task<Result<int>> update(Invocation* invocation) {
    const SiteSpec spec = CO_TRY(read_spec(*invocation));
    const std::string operand = invocation->operand(0);
    const std::string name = operand.empty() ? spec.name : CO_TRY(name_of(operand, "site"));
    client::Client* client = CO_TRY(invocation->client());
    co_return print_object(*invocation, view(), CO_TRY(co_await client->update_site(name, spec)));
}

}  // namespace

std::vector<Command> site_commands() {
    const std::vector<Flag> file = {
        {.name = "file", .letter = 'f', .value = "FILE", .help = "flag.site_file"}
    };
    return {
        {.path = "site create",
         .summary = "site.create.summary",
         .examples = {"penstock site create -f site.yaml"},
         .flags = file,
         .run = create},
        {.path = "site list",
         .summary = "site.list.summary",
         .examples = {"penstock site list -o wide"},
         .answer = Answer::list,
         .run = list},
        {.path = "site get",
         .summary = "site.get.summary",
         .examples = {"penstock site get site/centre -o yaml"},
         .operands = {{.name = "SITE"}},
         .run = get},
        outlook_command(),
        {.path = "site update",
         .summary = "site.update.summary",
         .examples = {"penstock site update site/centre -f site.yaml"},
         .operands = {{.name = "SITE", .required = false}},
         .flags = file,
         .run = update},
    };
}

}  // namespace penstock::cli
