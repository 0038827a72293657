// SPDX-License-Identifier: Apache-2.0
#include "scheduler/queue_round.h"

#include <algorithm>

namespace penstock::scheduler {

QueueRound::QueueRound(
    FairQueue& queue, Reservations& promises, std::vector<QueueItem> items, Yard& yard,
    std::size_t starts_max, QueueRules rules
)
    : queue_(queue),
      promises_(promises),
      items_(std::move(items)),
      yard_(yard),
      starts_left_(starts_max),
      rules_(rules) {
    std::vector<WorkId> waiting;
    waiting.reserve(items_.size());
    for (const QueueItem& item : items_) waiting.push_back(item.work);
    std::ranges::sort(waiting);
    promises_.keep_only(waiting);
}

bool QueueRound::run(Time now) {
    start_promised();
    for (std::size_t i = 0; i < items_.size(); ++i) {
        const Reservation* promise = promises_.find(items_[i].work);
        if (promise != nullptr && promise->by_notice) continue;
        if (items_[i].work == 0) continue;  // started by its promise
        queue_.add(items_[i].tenant, i, amounts_of(items_[i].request));
    }
    while (const std::optional<std::size_t> next = queue_.pop()) {
        if (starts_left_ == 0) return true;
        if (!pass(items_[*next], now)) return false;
    }
    return false;
}

// Others left, or are leaving, for these: they come first, and count as if they had started.
void QueueRound::start_promised() {
    for (QueueItem& item : items_) {
        const Reservation* promise = promises_.find(item.work);
        if (promise == nullptr || !promise->by_notice) continue;
        const std::vector<Place> places = promise->places;
        const Started started = yard_.start(item, promises_);
        const bool leaving = std::ranges::any_of(places, [&](const Place& place) {
            return std::ranges::any_of(yard_.held(place.node), &Held::leaves);
        });
        const std::vector<Place> suited = yard_.suited(item);
        const bool stands = std::ranges::all_of(places, [&](const Place& place) {
            return std::ranges::find(suited, place) != suited.end();
        });
        if (started == Started::yes || (leaving && stands && started != Started::other)) {
            queue_.charge(item.tenant, amounts_of(item.request));
            if (started != Started::yes) {
                yard_.wait(
                    item, {.limit = {}, .kept = false, .promise = promises_.find(item.work)}
                );
                continue;
            }
            promises_.drop(item.work);
            item.work = 0;
            continue;
        }
        promises_.drop(item.work);  // it did not come true: back into the queue
    }
}

bool QueueRound::pass(const QueueItem& item, Time now) {
    if (stuck_.contains(item.group)) return true;
    const Amounts asked = amounts_of(item.request);
    if (std::optional<TenantLimit> limit = queue_.blocked(item.tenant, asked)) {
        promises_.drop(item.work);  // it may not start, so nothing is kept for it
        stuck_.insert(item.group);
        yard_.wait(item, {.limit = std::move(limit)});
        return true;
    }
    const Started started = yard_.start(item, promises_);
    if (started == Started::yes) {
        queue_.charge(item.tenant, asked);
        promises_.drop(item.work);
        --starts_left_;
        return true;
    }
    stuck_.insert(item.group);
    if (started == Started::other) {
        promises_.drop(item.work);
        return true;
    }
    make_room(item, now);
    yard_.wait(
        item, {.limit = {}, .kept = started == Started::kept, .promise = promises_.find(item.work)}
    );
    return rules_.pass;
}

// By having others leave, or by keeping what comes free.
void QueueRound::make_room(const QueueItem& item, Time now) {
    const bool may_ask = rules_.reclaim && reclaims_left_ > 0 && searches_left_ > 0;
    const bool may_promise =
        rules_.promise && promises_.has_room_for(item.work, item.tenant.organisation);
    if (!may_ask && !may_promise) return;
    if (may_ask && reclaim(item, now)) return;
    if (!may_promise) return;
    const std::vector<Place> suited = yard_.suited(item);
    (void)promises_.reserve(
        {.work = item.work, .organisation = item.tenant.organisation, .span = item.at_most}, suited,
        now, yard_, together_of(item)
    );
}

Together QueueRound::together_of(const QueueItem& item) {
    if (item.nodes <= 1) return nullptr;
    return [this, &item](const std::vector<Place>& places) { return yard_.together(item, places); };
}

bool QueueRound::starts_soon(const QueueItem& item, Time now) const {
    const Reservation* promise = promises_.find(item.work);
    return promise != nullptr && promise->start && *promise->start <= now + kPreemptionGrace;
}

bool QueueRound::reclaim(const QueueItem& item, Time now) {
    if (starts_soon(item, now)) return false;
    --searches_left_;
    const std::optional<Reclaim> found = yard_.reclaim(item, queue_, promises_);
    if (!found) return false;
    --reclaims_left_;
    promises_.promise(
        {.work = item.work,
         .organisation = item.tenant.organisation,
         .places = found->places,
         .made_at = now,
         .start = now + kPreemptionGrace,
         .span = item.at_most}
    );
    queue_.charge(item.tenant, amounts_of(item.request));
    for (const Resident& victim : found->victims)
        queue_.release(victim.tenant, amounts_of(*victim.request));
    yard_.give_notice(item, *found);
    return true;
}

}  // namespace penstock::scheduler
