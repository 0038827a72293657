// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/check.h"
#include "model/site_prices.h"
#include "routing/call_meter.h"
#include "scheduler/scheduler.h"
#include "server/billing.h"
#include "server/call_line.h"
#include "server/endpoint_tokenizer.h"

// How finished work becomes money: attempts by two meters, token calls by their usage records.
namespace penstock::server {

using ledger::AccountKind;
using ledger::TransferCode;
using ledger::TransferKind;
using ledger::TransferRequest;

namespace {
std::string exact_text(ExactMoney amount) {
    // 10⁻¹⁵ yuan as a decimal of 15 places.
    constexpr __int128 kPerYuan = __int128{1'000'000} * ExactMoney::kPerMicro;
    const auto whole = static_cast<long long>(amount.femto() / kPerYuan);
    std::string fraction = std::to_string(static_cast<long long>(amount.femto() % kPerYuan));
    fraction.insert(0, 15 - std::min<std::size_t>(15, fraction.size()), '0');
    return std::to_string(whole) + "." + fraction;
}

struct Rated {
    std::vector<UsageItem> items;
    ExactMoney total;
};

Result<void> rate(
    Rated& rated, std::string meter, std::string unit, std::int64_t quantity, QuantityScale scale,
    const Price& price
) {
    const ExactMoney amount = TRY(multiply(quantity, scale, price));
    rated.items.push_back(
        {std::move(meter), std::move(unit), quantity, price, exact_text(amount), {}}
    );
    rated.total = TRY(add(rated.total, amount));
    return {};
}

// What is reserved for the attempt counts for as long as it runs.
Result<Rated> rate_attempt(const PriceList& list, const Attempt& attempt, std::int64_t running_ms) {
    const PriceList prices = TRY(prices_at(list, attempt.price_percent));
    const ResourceRequest& request = attempt.request;
    constexpr std::int64_t kMilli = 1000;
    constexpr std::int64_t kMibPerGib = 1024;
    Rated rated;
    const auto part = [&](std::int64_t amount, std::int64_t per) {
        return static_cast<std::int64_t>(static_cast<__int128>(running_ms) * amount / per);
    };
    TRY(rate(
        rated, "core_ms", "core-second/1000", part(request.cpu_milli, kMilli), QuantityScale::milli,
        prices.core_second
    ));
    TRY(rate(
        rated, "gib_ms", "GiB-second/1000", part(request.memory_mib, kMibPerGib),
        QuantityScale::milli, prices.gib_second
    ));
    if (request.accelerator) {
        const auto price = prices.card_second.find(request.accelerator->model);
        if (price == prices.card_second.end())
            return fail(
                ErrorCode::internal,
                "the site no longer has a price for " + request.accelerator->model
            );
        TRY(rate(
            rated, "card_ms", "card-second/1000", part(request.accelerator->count_milli, kMilli),
            QuantityScale::milli, price->second
        ));
    }
    return rated;
}

// Running time that is charged: nothing before RUNNING; by the fault of others only what is kept.
// The checkpoint of a gang is its head's.
std::int64_t charged_ms(
    const Attempt& attempt, const std::optional<Checkpoint>& checkpoint, std::int64_t metered_ms
) {
    if (!attempt.running_at) return 0;
    if (attempt.fault_domain.value_or(FaultDomain::user) == FaultDomain::user) return metered_ms;
    return std::min(checkpoint ? checkpoint->running_ms : 0, metered_ms);
}

bool meters_differ(std::int64_t a, std::int64_t b) {
    const std::int64_t tolerance =
        std::max(kToleranceMs, std::max(a, b) * kToleranceBasisPoints / 10'000);
    return std::abs(a - b) > tolerance;
}

}  // namespace

Result<ExactMoney> Billing::cost_of(const Attempt& attempt, std::int64_t running_ms) const {
    const Site* site = platform_.fleet.find_site(attempt.placement.site_id);
    CHECK(site != nullptr, "sites are never deleted");
    return TRY(rate_attempt(site->spec.prices, attempt, running_ms)).total;
}

void Billing::settle_attempt(Change& change, AttemptId id) {
    const Attempt attempt = *platform_.board.find_attempt(id);
    const Task& task = *platform_.board.find(attempt.task_id);
    const Site& site = *platform_.fleet.find_site(attempt.placement.site_id);
    // The platform's meter: from the report of RUNNING to the end as the platform saw it.
    Metered platform_meter;
    if (attempt.running_at && attempt.ended_at)
        platform_meter.running_ms =
            std::max<std::int64_t>(0, to_ms(*attempt.ended_at - *attempt.running_at));
    platform_.board.set_meter(id, platform_meter, change.tasks);
    // Settled is the smaller of the two meters. An attempt lost with its node has only the
    // platform's.
    const bool has_agent_meter = attempt.agent_meter.has_value();
    const std::int64_t agent_ms =
        has_agent_meter ? attempt.agent_meter->running_ms : platform_meter.running_ms;
    const std::int64_t ms = charged_ms(
        attempt, platform_.board.members_of(attempt).front()->checkpoint,
        std::min(agent_ms, platform_meter.running_ms)
    );
    const Result<Rated> rated = rate_attempt(site.spec.prices, attempt, ms);
    BillLine line{
        .id = platform_.make_id<UsageId>(),
        .organisation_id = task.organisation_id,
        .project_id = task.project_id,
        .provider_id = site.provider_id,
        .provider = site.provider,
        .kind = "task",
        .resource = "attempt/" + to_string(id),
        .task = "task/" + to_string(task.id),
        .name = task.name,
        .site = site.spec.name,
        .c_url = site.c_url,
        .from = attempt.running_at.value_or(attempt.created_at),
        .to = attempt.ended_at.value_or(platform_.now()),
        .basis = UsageBasis::metered,
        .disputed = has_agent_meter && meters_differ(agent_ms, platform_meter.running_ms),
        .simulated = attempt.placement.simulated
    };
    line.end_reason = attempt.state == TaskState::succeeded ? "done" : attempt.message;
    Money charge;
    if (rated) {
        line.usage = rated->items;
        const Result<ledger::Posting> posting = platform_.accumulators.advance(
            "task/" + to_string(task.id), to_string(task.organisation_id), rated->total
        );
        CHECK(posting.has_value(), "amounts of one attempt are far from 2⁶³ micro-yuan");
        charge = std::clamp(posting->amount, Money(), attempt.held);
        if (charge == posting->amount)
            change.batch.add(storage::PutAccumulator{platform_.accumulators.put(
                "task/" + to_string(task.id), to_string(task.organisation_id), posting->next
            )});
    } else {
        platform_.log().error("an attempt could not be rated and is not charged", rated.error());
    }
    AttemptHolds& holds = platform_.attempt_holds[id];
    post_holds(change, holds, charge, attempt, line);
    platform_.attempt_holds.erase(id);
    platform_.remove(change, "attempt_holds", to_string(id));
    platform_.board.set_cost(id, Money(), line.charged, change.tasks);
    platform_.add_bill(change, line);
}

void Billing::post_holds(
    Change& change, AttemptHolds& holds, Money charge, const Attempt& attempt, BillLine& line
) {
    const std::string owner = to_string(line.organisation_id);
    const std::string reference = to_string(attempt.task_id);
    std::vector<TransferRequest> chain;
    Money left = charge;
    for (const std::string& pending : holds.pending_ids) {
        const ledger::TransferId pending_id = *ledger::TransferId::parse(pending);
        const ledger::Hold* hold = platform_.ledger.find_hold(pending_id);
        if (hold == nullptr) continue;
        TransferRequest request{
            .id = transfer_id(),
            .kind = TransferKind::void_,
            .pending_id = pending_id,
            .code = TransferCode::charge,
            .ref_type = "task",
            .ref_id = reference
        };
        const Money part = std::min(left, hold->amount);
        if (part > Money()) {
            request.kind = TransferKind::post;
            request.amount = part;
            left = *subtract(left, part);
            line.transfers.push_back(to_string(request.id));
        }
        chain.push_back(std::move(request));
    }
    line.charged = *subtract(charge, left);
    const ledger::GrossSplit split =
        *ledger::split_fee(line.charged, platform_.options().fee_basis_points);
    line.fee = split.fee;
    line.provider_share = split.provider;
    const ledger::AccountId escrow = account(owner, AccountKind::contract_escrow);
    const auto pay = [&](ledger::AccountId to, Money amount, TransferCode code) {
        if (amount <= Money()) return;
        chain.push_back(
            {.id = transfer_id(),
             .debit = escrow,
             .credit = to,
             .amount = amount,
             .code = code,
             .ref_type = "task",
             .ref_id = reference}
        );
        line.transfers.push_back(to_string(chain.back().id));
    };
    pay(account(to_string(line.provider_id), AccountKind::provider_payable), split.provider,
        TransferCode::settle);
    pay(account("platform", AccountKind::platform_fee), split.fee, TransferCode::fee);
    if (chain.empty()) return;
    const ledger::ChainResult result = submit(change, chain);
    CHECK(
        result.ok(), "holds are open and posted within their amount, so the chain cannot be refused"
    );
}

void Billing::watch_running(Change& change) {
    const Time now = platform_.now();
    for (const Attempt* attempt : platform_.board.active_attempts()) {
        if (!attempt->running_at) continue;
        const Task& task = *platform_.board.find(attempt->task_id);
        if (task.state == TaskState::canceling) continue;
        // A little ahead, so that the hold is there before it is needed.
        constexpr Duration kAhead = 10s;
        const Result<ExactMoney> exact =
            cost_of(*attempt, to_ms(now + kAhead - *attempt->running_at));
        const Result<Money> soon = exact ? ceil_money(*exact) : std::unexpected(exact.error());
        if (!soon) continue;
        check_budget(change, task, *attempt, *soon);
        if (*soon < attempt->held) continue;
        const Result<Price> list = scheduler::hourly_price(
            *platform_.fleet.find_site(attempt->placement.site_id), attempt->request
        );
        const Result<Price> hourly =
            list && attempt->price_percent ? percent_of(*list, *attempt->price_percent) : list;
        const Result<Money> more =
            hourly ? hold_amount(*hourly, kHoldSpan) : std::unexpected(hourly.error());
        if (!more) continue;
        const AttemptId id = attempt->id;
        if (hold(change, id, task.organisation_id, task.id, *more)) {
            platform_.board.set_cost(id, *add(attempt->held, *more), attempt->cost, change.tasks);
        } else {
            (void)platform_.board.cancel(
                task.id, TaskReason::balance_exhausted, "platform",
                "the wallet cannot cover another hour", now, change.tasks
            );
        }
    }
}

void Billing::check_budget(
    Change& change, const Task& task, const Attempt& attempt, Money running_cost
) {
    if (!task.spec.budget || !task.spec.budget->max_total) return;
    Money total = *add(task.cost, running_cost);
    for (const Attempt* other : platform_.board.active_attempts()) {
        if (other->task_id != task.id || other->id == attempt.id || !other->running_at) continue;
        if (const Result<ExactMoney> cost =
                cost_of(*other, to_ms(platform_.now() - *other->running_at)))
            total = *add(total, floor_money(*cost).value_or(Money()));
    }
    // Members of its gang that have ended are settled with the last.
    for (const Attempt* member : platform_.board.members_of(attempt))
        if (member->running_at && member->ended_at)
            if (const Result<ExactMoney> cost =
                    cost_of(*member, to_ms(*member->ended_at - *member->running_at)))
                total = *add(total, floor_money(*cost).value_or(Money()));
    platform_.board.check_budget_alerts(task.id, total, platform_.now(), change.tasks);
    if (total < *task.spec.budget->max_total || task.spec.budget->on_exceed == OnExceed::alert_only)
        return;
    (void)platform_.board.cancel(
        task.id, TaskReason::budget_exceeded, "platform",
        "the budget of " + to_string(*task.spec.budget->max_total) + " CNY is used up",
        platform_.now(), change.tasks
    );
}

SettledCalls Billing::settle_calls(
    Change& change, const SettleCalls& calls, const std::set<std::string>& settled_before
) {
    SettledCalls settled;
    SecondMeters second_meters(platform_);
    for (const CallRecord& call : calls.records) {
        const std::string id = to_string(UsageId(call.id.raw()));
        if (settled_before.contains(id) || platform_.recent_usage.contains(id)) {
            ++settled.repeated;
            continue;
        }
        settle_call(change, call);
        second_meters.add(call);
        ++settled.accepted;
    }
    second_meters.store(change);
    if (settled.accepted > 0) store_allowances(change);
    return settled;
}

namespace {

Result<Rated> rate_call(const CallRecord& call) {
    const routing::RatedTokens tokens =
        TRY(routing::rate_tokens(call.tokens, routing::prices_of(call)));
    Rated rated{.items = {}, .total = tokens.total};
    for (const routing::RatedClass& part : tokens.classes) {
        UsageItem& item = rated.items.emplace_back();
        item.meter = routing::facts_of(part.token_class).meter;
        item.unit = "token";
        item.quantity = part.quantity;
        item.price = part.price;
        item.exact_amount = exact_text(part.amount);
        if (part.set_for != part.token_class)
            item.priced_as = routing::facts_of(part.set_for).meter;
    }
    return rated;
}

}  // namespace

void Billing::put_accumulator(
    Change& change, const std::string& contract, OrganisationId organisation,
    const ledger::Accumulator& next
) {
    const std::string owner = to_string(organisation);
    const std::int64_t rest_before = platform_.accumulators.find(contract, owner).rem;
    platform_.unposted[organisation] +=
        Units::of(ExactMoney(next.rem)) - Units::of(ExactMoney(rest_before));
    change.batch.add(storage::PutAccumulator{platform_.accumulators.put(contract, owner, next)});
}

// What an engine did for a call whose answer is another one's: the platform pays its supplier, from
// what it has earned or else with money of its own; an attempt that failed by itself has no tokens,
// and so nothing to pay. The line stands on the user's bill with nothing charged, so that the call
// can be followed.
void Billing::settle_platform_attempt(Change& change, const CallRecord& call) {
    const auto endpoint = platform_.endpoints.find(call.endpoint_id);
    const Endpoint* known =
        endpoint == platform_.endpoints.end() ? nullptr : &endpoint->second.endpoint;
    BillLine line = line_of(call, known);
    const Result<Rated> rated = rate_call(call);
    if (!rated) platform_.log().error("an attempt could not be rated", rated.error());
    if (rated) line.usage = rated->items;
    if (!rated || rated->total <= ExactMoney()) return platform_.add_bill(change, line);
    const std::string owner = "platform";
    const std::string contract =
        std::string(kCallContracts) + owner + "/" + to_string(call.endpoint_id);
    const Result<ledger::Posting> posting =
        platform_.accumulators.advance(contract, owner, rated->total);
    const Money cost = posting ? std::max(posting->amount, Money()) : Money();
    const Money share = ledger::split_fee(cost, platform_.options().fee_basis_points)->provider;
    bool paid = share.is_zero();
    if (known != nullptr && !paid) {
        const ledger::AccountId fees = account(owner, AccountKind::platform_fee);
        const auto transfer = [&](ledger::AccountId from, ledger::AccountId to, TransferCode code) {
            return TransferRequest{
                .id = transfer_id(),
                .debit = from,
                .credit = to,
                .amount = share,
                .code = code,
                .ref_type = "call",
                .ref_id = to_string(call.id)
            };
        };
        const ledger::AccountId payee =
            account(to_string(line.provider_id), AccountKind::provider_payable);
        std::vector<TransferRequest> chain{transfer(fees, payee, TransferCode::settle)};
        paid = submit(change, chain).ok();
        if (!paid) {
            chain = {
                transfer(account(owner, AccountKind::bank), fees, TransferCode::topup),
                transfer(fees, payee, TransferCode::settle)
            };
            paid = submit(change, chain).ok();
        }
        if (paid) {
            line.provider_share = share;
            line.fee = *subtract(Money(), share);
            for (const TransferRequest& request : chain)
                line.transfers.push_back(to_string(request.id));
        }
    }
    if (posting && paid)
        change.batch.add(
            storage::PutAccumulator{platform_.accumulators.put(contract, owner, posting->next)}
        );
    platform_.add_bill(change, line);
}

void Billing::settle_call(Change& change, const CallRecord& call) {
    if (call.attempt_of) return settle_platform_attempt(change, call);
    const auto endpoint = platform_.endpoints.find(call.endpoint_id);
    const Endpoint* known =
        endpoint == platform_.endpoints.end() ? nullptr : &endpoint->second.endpoint;
    BillLine line = line_of(call, known);
    const Result<Rated> rated = rate_call(call);
    if (!rated)
        platform_.log().error("a call could not be rated and is not charged", rated.error());
    if (rated) line.usage = rated->items;
    const std::string contract = std::string(kCallContracts) + to_string(call.project_id) + "/" +
                                 to_string(call.endpoint_id);
    const std::string owner = to_string(call.organisation_id);
    const Result<ledger::Posting> posting =
        platform_.accumulators.advance(contract, owner, rated ? rated->total : ExactMoney());
    const Money charge = posting ? std::max(posting->amount, Money()) : Money();
    std::vector<TransferRequest> chain;
    // From what was set aside for gateways, or from the wallet where the lease is over.
    const Units exact = rated ? Units::of(rated->total) : Units();
    const Money pooled = pool_amount(call.organisation_id);
    const bool set_aside = platform_.allowances.draw(call.lease_id, exact) && charge <= pooled;
    const WalletPool before = platform_.wallet_pools[call.organisation_id];
    if (set_aside && charge > Money())
        resize_pool(
            chain, call.organisation_id, charge, *subtract(pooled, charge), "call",
            to_string(call.id)
        );
    const ledger::AccountId from = account(
        owner,
        set_aside && charge > Money() ? AccountKind::lease_pool : AccountKind::consumer_prepaid
    );
    const ledger::GrossSplit split =
        *ledger::split_fee(charge, platform_.options().fee_basis_points);
    const auto pay = [&](ledger::AccountId to, Money amount, TransferCode code) {
        if (amount > Money())
            chain.push_back(
                {.id = transfer_id(),
                 .debit = from,
                 .credit = to,
                 .amount = amount,
                 .code = code,
                 .ref_type = "call",
                 .ref_id = to_string(call.id)}
            );
    };
    if (known != nullptr)
        pay(account(to_string(line.provider_id), AccountKind::provider_payable), split.provider,
            TransferCode::settle);
    pay(account("platform", AccountKind::platform_fee), split.fee, TransferCode::fee);
    const bool paid = !chain.empty() && submit(change, chain).ok();
    if (paid && set_aside)
        platform_.put(change, platform_.wallet_pools.at(call.organisation_id));
    else if (!paid)
        platform_.wallet_pools[call.organisation_id] = before;
    if (paid) {
        line.charged = charge;
        line.fee = split.fee;
        line.provider_share = split.provider;
        for (const TransferRequest& request : chain)
            line.transfers.push_back(to_string(request.id));
    } else if (charge > Money()) {
        line.end_reason += "; not charged: the lease had ended and the wallet could not cover it";
    }
    const bool counts = posting && (paid || charge.is_zero());
    if (counts) put_accumulator(change, contract, call.organisation_id, posting->next);
    count_call(call, counts ? exact : Units(), routing::total_tokens(call.tokens));
    platform_.add_bill(change, line);
}

}  // namespace penstock::server
