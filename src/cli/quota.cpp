// SPDX-License-Identifier: Apache-2.0
#include "cli/quota.h"

#include <boost/json.hpp>
#include <charconv>

#include "cli/json_path.h"

namespace penstock::cli {
namespace {

Result<std::int64_t> whole(const std::string& flag, const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
        return fail_field(
            ErrorCode::invalid_argument, "--" + flag,
            "'" + text + "' is not a whole number, for instance 8"
        );
    return number;
}

// "cpus=8", "memory_gib=64", "H100=2", "any=4"; "cpus=none" says nothing of it any more.
Result<void> read_amount(
    const std::string& flag, const std::string& text, ComputeAmounts& amounts
) {
    const std::size_t mark = text.find('=');
    if (mark == 0 || mark == std::string::npos)
        return fail_field(
            ErrorCode::invalid_argument, "--" + flag,
            "'" + text +
                "' is not RESOURCE=NUMBER: for instance cpus=8, memory_gib=64, H100=2, any=4"
        );
    const std::string name = text.substr(0, mark);
    const std::string number = text.substr(mark + 1);
    std::optional<std::int64_t> amount;
    if (number != "none") amount = TRY(whole(flag, number));
    if (name == "cpus")
        amounts.cpus = amount;
    else if (name == "memory_gib")
        amounts.memory_gib = amount;
    else if (amount)
        amounts.devices[name] = *amount;
    else
        amounts.devices.erase(name);
    return {};
}

std::string amounts_text(const json::Value& row, const std::string& path) {
    std::string all;
    const auto add = [&](const std::string& name, const std::string& amount) {
        if (amount.empty()) return;
        all += (all.empty() ? "" : ",") + name;
        all += ":" + amount;
    };
    for (const char* name : {"cpus", "memory_gib"}) add(name, text_at(row, path + "." + name));
    const json::Value* devices = at_path(row, path + ".devices");
    if (devices == nullptr || !devices->is_object()) return all;
    for (const auto& [model, count] : devices->get_object())
        if (count.is_int64()) add(std::string(model), std::to_string(count.get_int64()));
    return all;
}

}  // namespace

std::string quota_cell(const json::Value& row, const Look&) {
    std::string text;
    const auto add = [&](const std::string& name, const std::string& value) {
        if (!value.empty()) text += (text.empty() ? "" : " ") + name + "=" + value;
    };
    add("weight", text_at(row, "quota.weight"));
    add("guaranteed", amounts_text(row, "quota.guaranteed"));
    add("at-most", amounts_text(row, "quota.limit"));
    return text;
}

std::vector<Flag> quota_flags() {
    return {
        {.name = "weight", .value = "N", .help = "flag.quota_weight"},
        {.name = "guaranteed",
         .value = "RESOURCE=N",
         .help = "flag.quota_guaranteed",
         .repeated = true},
        {.name = "at-most", .value = "RESOURCE=N", .help = "flag.quota_limit", .repeated = true},
    };
}

Result<ComputeQuota> quota_from_flags(const Arguments& given, const ComputeQuota& before) {
    ComputeQuota quota = before;
    if (const auto weight = given.value("weight")) quota.weight = TRY(whole("weight", *weight));
    for (const std::string& each : given.values("guaranteed"))
        TRY(read_amount("guaranteed", each, quota.guaranteed));
    for (const std::string& each : given.values("at-most"))
        TRY(read_amount("at-most", each, quota.limit));
    return quota;
}

}  // namespace penstock::cli
