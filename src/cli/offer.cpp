// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "cli/human_text.h"
#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

// Of the offer's own kind: CPUs with memory, or cards of its model.
std::string amount_of(const json::Value& capacity, const std::string& sku) {
    const json::Value* cards = at_path(capacity, "accelerator_milli");
    if (cards != nullptr && cards->is_object() && cards->get_object().contains(sku)) {
        const json::Value& count = cards->get_object().at(sku);
        return count.is_int64() ? sku + ":" + milli_text(count.get_int64()) : "";
    }
    const json::Value* cpu = at_path(capacity, "cpu_milli");
    const json::Value* memory = at_path(capacity, "memory_mib");
    if (cpu == nullptr || memory == nullptr || !cpu->is_int64() || !memory->is_int64()) return {};
    return "cpu=" + milli_text(cpu->get_int64()) +
           ",mem=" + bytes_text(memory->get_int64() * 1024 * 1024);
}

std::string total_cell(const json::Value& row, const Look&) {
    const json::Value* total = at_path(row, "total");
    return total == nullptr ? "" : amount_of(*total, text_at(row, "sku"));
}

// "cpu=2,mem=4GiB(3s)": free now, and how old that knowledge is.
std::string free_cell(const json::Value& row, const Look&) {
    const json::Value* free = at_path(row, "free");
    const json::Value* age = at_path(row, "age_seconds");
    if (free == nullptr) return {};
    const std::string when =
        age != nullptr && age->is_int64() ? age_text(std::chrono::seconds(age->get_int64())) : "?";
    return amount_of(*free, text_at(row, "sku")) + "(" + when + ")";
}

const View& view() {
    static const View kView{
        .plural = "offers",
        .singular = "offer",
        .columns =
            {
                text_column("OFFER", "id"),
                text_column("PROVIDER", "provider"),
                text_column("REGION", "region"),
                computed_column("RESOURCES", total_cell),
                computed_column("AVAIL(AGE)", free_cell),
                amount_column("PRICE/H", "price_per_hour"),
                amount_column("SPOT/H", "spot_price_per_hour"),
                number_column("RTT-MS", "rtt_ms"),
                number_column("GREEN%", "green_percent"),
                text_column("TRUST", "trust"),
                wide(amount_column("PRICE", "price")),
                text_column("UNIT", "unit"),
                wide(text_column("C-URL", "c_url")),
                wide(text_column("SIMULATED", "simulated")),
            },
    };
    return kView;
}

// The best and the highest price an hour of the whole set, not of the page alone.
io::Task<Result<int>> list(Invocation* invocation) {
    const client::ListQuery query = CO_TRY(list_query(*invocation));
    client::Client* client = CO_TRY(invocation->client());
    client::ListQuery all = query;
    all.page_size.reset();
    OfferPage page = CO_TRY(co_await client->list_all<OfferPage>("/v1/offers", all));
    // Prices of different goods are not compared.
    std::map<std::string, std::pair<Money, Money>> prices;
    for (const Offer& offer : page.offers) {
        const Result<Money> price = parse_money(offer.price_per_hour);
        if (!price) continue;
        auto& [lowest, highest] = prices.try_emplace(offer.sku, *price, *price).first->second;
        lowest = std::min(lowest, *price);
        highest = std::max(highest, *price);
    }
    const auto shown = static_cast<std::size_t>(
        invocation->has("all") ? INT64_MAX : query.page_size.value_or(INT64_MAX)
    );
    if (page.offers.size() > shown) page.offers.resize(shown);
    CO_TRY(invocation->printer.list(view(), json::encode(page)));
    if (invocation->printer.for_people())
        for (const auto& [sku, span] : prices)
            invocation->tell(
                "offer.prices", sku, amount_text(to_string(span.first)),
                amount_text(to_string(span.second))
            );
    co_return kExitOk;
}

}  // namespace

std::vector<Command> offer_commands() {
    std::vector<Command> commands;
    for (const std::string_view path : {"offers", "offer list"})
        commands.push_back(
            {.path = path,
             .summary = "offer.list.summary",
             .examples =
                 {"penstock offers", "penstock offer list -o csv",
                  "penstock offers --filter region=cn-hubei"},
             .answer = Answer::list,
             .run = list}
        );
    return commands;
}

}  // namespace penstock::cli
