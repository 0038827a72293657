// SPDX-License-Identifier: Apache-2.0
#include "model/compute_quota.h"

namespace penstock {
namespace {

class Findings {
  public:
    explicit Findings(std::string at) : at_(std::move(at)) {}
    void add(const std::string& field, std::string message) {
        errors_.push_back({ErrorCode::invalid_argument, std::move(message), at_ + "." + field});
    }
    std::vector<Error> take() { return std::move(errors_); }

  private:
    std::string at_;
    std::vector<Error> errors_;
};

// Calls `use` with the name and the amount of every resource that is stated.
template <class Use>
void each_amount(const ComputeAmounts& amounts, Use use) {
    if (amounts.cpus) use(std::string("cpus"), *amounts.cpus);
    if (amounts.memory_gib) use(std::string("memory_gib"), *amounts.memory_gib);
    for (const auto& [model, count] : amounts.devices) use("devices." + model, count);
}

std::optional<std::int64_t> amount_of(const ComputeAmounts& amounts, const std::string& name) {
    std::optional<std::int64_t> found;
    each_amount(amounts, [&](const std::string& each, std::int64_t amount) {
        if (each == name) found = amount;
    });
    return found;
}

void check_amounts(const ComputeAmounts& amounts, const std::string& block, Findings& findings) {
    if (amounts.devices.size() > kQuotaDevicesMax)
        findings.add(
            block + ".devices", "names " + std::to_string(amounts.devices.size()) +
                                    " models, at most 64 are possible: say \"any\" for all"
        );
    if (amounts.devices.contains(""))
        findings.add(block + ".devices", "a model has a name: say \"any\" for all models together");
    each_amount(amounts, [&](const std::string& name, std::int64_t amount) {
        if (amount < 0 || amount > kQuotaAmountMax)
            findings.add(
                block + "." + name, "is " + std::to_string(amount) +
                                        ", which is not from 0 to 1000000000: leave it out to say "
                                        "nothing of it"
            );
    });
}

}  // namespace

std::vector<Error> check(const ComputeQuota& quota, const std::string& at) {
    Findings findings(at);
    if (quota.weight < 1 || quota.weight > kQuotaWeightMax)
        findings.add(
            "weight",
            "is " + std::to_string(quota.weight) + ", which is not from 1 to 1000: 1 is the default"
        );
    check_amounts(quota.guaranteed, "guaranteed", findings);
    check_amounts(quota.limit, "limit", findings);
    each_amount(quota.guaranteed, [&](const std::string& name, std::int64_t amount) {
        const std::optional<std::int64_t> limit = amount_of(quota.limit, name);
        if (limit && amount > *limit)
            findings.add(
                "guaranteed." + name, "is " + std::to_string(amount) + ", above the limit of " +
                                          std::to_string(*limit) + ": lower it or raise the limit"
            );
    });
    return findings.take();
}

std::vector<Error> check_within(
    const ComputeQuota& part, const ComputeQuota& whole, const std::string& at
) {
    Findings findings(at);
    each_amount(part.guaranteed, [&](const std::string& name, std::int64_t amount) {
        const std::int64_t most = amount_of(whole.guaranteed, name).value_or(0);
        if (amount > most)
            findings.add(
                "guaranteed." + name,
                "is " + std::to_string(amount) + ", the organisation is guaranteed " +
                    std::to_string(most) + ": lower it, or have the operator raise that"
            );
    });
    each_amount(part.limit, [&](const std::string& name, std::int64_t amount) {
        const std::optional<std::int64_t> most = amount_of(whole.limit, name);
        if (most && amount > *most)
            findings.add(
                "limit." + name, "is " + std::to_string(amount) + ", above the organisation's " +
                                     std::to_string(*most) + ": lower it"
            );
    });
    return findings.take();
}

}  // namespace penstock
