// SPDX-License-Identifier: Apache-2.0
#include "gateway/leftovers.h"

#include "gateway/idempotency_log.h"
#include "gateway/outage.h"
#include "io/task_group.h"

namespace penstock::gateway {
namespace {

constexpr Duration kLookEvery = 1s;
constexpr Duration kDrainAtOnce = 10s;

// Nothing while its process lives, or where it cannot be read.
std::unique_ptr<Spool> try_open(const Leftovers& left, LeftSnapshot& snapshot) {
    IdempotencyLog::Findings findings(*left.idempotency);
    Result<std::unique_ptr<Spool>> opened = Spool::open(
        left.executor, left.parts.pool, left.log.component("spool"),
        {.directory = left.folder,
         .bytes_max = left.bytes_max,
         .on_record =
             [&](const CallRecord& record, std::uint64_t segment) {
                 findings.add(record);
                 snapshot.add(record, segment);
             }},
        left.parts.clock.now()
    );
    if (opened) {
        left.idempotency->resolve(
            left.folder.filename().string(), findings, left.parts.clock.now()
        );
        return *std::move(opened);
    }
    if (opened.error().code != ErrorCode::conflict)
        left.log.error("records of the process before cannot be read", opened.error());
    return nullptr;
}

// Its process is gone and all of its calls are settled: what it had of wallets and limits is free
// again, and not only when the leases run out. Said while its lock is held, so that no other
// process speaks under its name yet.
io::Task<void> end_leases(const Leftovers* left) {
    IdSource ids(left->parts.random);
    const AcquireAllowances nothing{
        .replica = left->replica, .run = ids.next<RunId>(left->parts.clock.now())
    };
    while (true) {
        const Result<GrantedAllowances> answer =
            co_await left->parts.server.acquire_allowances(nothing);
        if (answer) co_return;
        if (answer.error().code != ErrorCode::unavailable &&
            answer.error().code != ErrorCode::deadline_exceeded) {
            left->log.error(
                "what the process before had of wallets and limits stays reserved until its leases "
                "run out",
                answer.error()
            );
            co_return;
        }
        co_await io::sleep_for(kLookEvery);
    }
}

io::Task<void> settle_all(io::TaskGroup* group, const Leftovers* left, Spool* spool) {
    group->spawn(spool->commit_forever());
    Settler settler(
        {*spool, left->parts.server, left->parts.budget, left->parts.metrics, left->parts.clock,
         left->parts.random, left->parts.pool},
        left->log, left->replica, left->refused_file
    );
    while (!co_await spool->flush(io::Deadline::after(kDrainAtOnce)) ||
           !co_await settler.drain(io::Deadline::after(kDrainAtOnce))) {
    }
    left->outage->left_is_settled();
    co_await left->outage->until_nothing_is_foreign();
    co_await end_leases(left);
}

}  // namespace

io::Task<void> settle_what_is_left(Leftovers left) {
    std::unique_ptr<Spool> spool;
    std::optional<LeftSnapshot> snapshot;
    while (std::filesystem::exists(left.folder)) {
        snapshot.emplace(left.snapshot, left.replica, left.log);
        if ((spool = try_open(left, *snapshot))) break;
        co_await io::sleep_for(kLookEvery);
    }
    if (!spool) {
        // It has left nothing: none of its calls was charged.
        left.outage->left_is_settled();
        left.idempotency->resolve(
            left.folder.filename().string(), IdempotencyLog::Findings(*left.idempotency),
            left.parts.clock.now()
        );
        co_return;
    }
    if (spool->recovered() > 0)
        left.log.warning(
            "calls that the process before did not end are settled", {{"calls", spool->recovered()}}
        );
    co_await left.outage->adopt_left(&*snapshot);
    co_await io::with_group("leftovers", [&left, &spool](io::TaskGroup* group) {
        return settle_all(group, &left, spool.get());
    });
    spool->close();
    left.log.info("the records of the process before are settled");
}

}  // namespace penstock::gateway
