// SPDX-License-Identifier: Apache-2.0
#include "gateway/lease_gauges.h"

#include <boost/describe/enum_to_string.hpp>
#include <limits>
#include <unordered_map>
#include <vector>

namespace penstock::gateway {
namespace {

double in_wholes(Units units) {
    return static_cast<double>(units.exact_money().femto()) / static_cast<double>(Units::kPerWhole);
}

routing::Level level_of(const AllowanceAccount& account) {
    if (account.subject.starts_with("og_")) return routing::Level::organisation;
    return account.subject.starts_with("pj_") ? routing::Level::project : routing::Level::key;
}

}  // namespace

void LeaseGauges::refresh(
    const routing::AllowancePool& pool, const routing::LeaseHolder& holder, Time now
) {
    if (rounds_left_ > 0) {
        --rounds_left_;
        return;
    }
    rounds_left_ = pool.accounts() / kAccountsPerRound;
    if (pool.accounts() > kAccountsMax) return set_all(std::numeric_limits<double>::quiet_NaN());
    set_all(0);
    std::int64_t left_out = 0;
    std::unordered_map<LeaseId, LeaseUse> uses;
    for (const LeaseUse& use : pool.lease_uses(now, kAccountsMax, &left_out))
        uses.emplace(use.lease_id, use);
    for (const routing::KeptLease& lease : pool.kept(holder)) {
        const auto use = uses.find(lease.lease_id);
        if (use == uses.end()) continue;
        const Series& series = series_of(lease.account);
        series.leases.add(1);
        series.empty.add(use->second.free.is_zero() ? 1 : 0);
        series.free.add(in_wholes(use->second.free));
        series.held.add(in_wholes(use->second.held));
    }
}

LeaseGauges::Series& LeaseGauges::series_of(const AllowanceAccount& account) {
    const Kind kind(level_of(account), account.measure);
    if (const auto known = kinds_.find(kind); known != kinds_.end()) return known->second;
    const auto gauge = [&](std::string_view name, std::string_view help) -> telemetry::Gauge& {
        return registry_.gauge(
            name, help,
            {{"level", routing::name_of(kind.first)},
             {"measure", boost::describe::enum_to_string(kind.second, "unknown")}}
        );
    };
    const auto made = kinds_.emplace(
        kind,
        Series{
            .leases = gauge("penstock_gateway_leases", "Parts of wallets and limits kept here."),
            .empty = gauge(
                "penstock_gateway_leases_empty",
                "Leases of which nothing is free: the next call waits for the server."
            ),
            .free = gauge(
                "penstock_gateway_lease_free",
                "Free of these leases: yuan, requests, tokens or calls at one time, by the measure."
            ),
            .held = gauge("penstock_gateway_lease_held", "Held of them by calls in flight.")
        }
    );
    return made.first->second;
}

void LeaseGauges::set_all(double value) {
    for (auto& [kind, series] : kinds_)
        for (telemetry::Gauge* gauge : {&series.leases, &series.empty, &series.free, &series.held})
            gauge->set(value);
}

}  // namespace penstock::gateway
