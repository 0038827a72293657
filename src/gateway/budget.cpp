// SPDX-License-Identifier: Apache-2.0
#include "gateway/budget.h"

#include <algorithm>
#include <utility>

namespace penstock::gateway {
namespace {

constexpr Duration kRetryAfter = 1s;

routing::ApiError unavailable(std::string message) {
    routing::ApiError error = routing::api_error({ErrorCode::unavailable, std::move(message)});
    error.retry_after = kRetryAfter;
    return error;
}

// What is asked for is not asked for again before it is answered. Also when this task is cancelled,
// as a process that ends does: what it then gives back is that lease, too.
class Asked {
  public:
    Asked(routing::AllowancePool& pool, std::vector<AllowanceAsk> asks)
        : pool_(pool), asks_(std::move(asks)) {}
    ~Asked() { unanswered(); }
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;

    const std::vector<AllowanceAsk>& asks() const { return asks_; }
    void answered() { open_ = false; }
    void unanswered() {
        if (std::exchange(open_, false)) pool_.unanswered(asks_);
    }

  private:
    routing::AllowancePool& pool_;
    std::vector<AllowanceAsk> asks_;
    bool open_ = true;
};

}  // namespace

// A call that waits for allowances. It leaves the demand also when it is cancelled while it waits.
class Budget::Waiting {
  public:
    Waiting(routing::AllowancePool& pool, const Demands& demands) : pool_(pool), demands_(demands) {
        for (const routing::Demand& demand : demands_)
            tickets_.push_back(pool_.answers_needed(demand.account));
    }
    bool begin(Time now) { return begun_ = pool_.wait_for(demands_, now); }
    ~Waiting() {
        if (begun_) pool_.stop_waiting(demands_);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    // The server has answered with this call in mind.
    bool is_answered(std::size_t demand) const {
        return pool_.answers(demands_[demand].account) >= tickets_[demand];
    }

  private:
    routing::AllowancePool& pool_;
    const Demands& demands_;
    std::vector<std::uint64_t> tickets_;
    bool begun_ = false;
};

Budget::Budget(
    io::Executor executor, io::TaskGroup& tasks, ServerLink& server, const Clock& clock,
    Random& random, telemetry::Logger log, Options options
)
    : executor_(std::move(executor)),
      tasks_(tasks),
      server_(server),
      clock_(clock),
      log_(std::move(log)),
      options_(std::move(options)),
      ids_(random),
      run_(ids_.next<RunId>(clock.now())),
      pool_(options_.lease_amount, ids_),
      opened_(executor_),
      answered_(executor_) {}

void Budget::open() {
    open_ = true;
    opened_.notify_all();
    if (!answered_at_) ask_soon();
}

io::Task<Budget::Reserved> Budget::reserve(
    const ResolvedKey* key, routing::CallNeeds needs, Time deadline
) {
    if (std::optional<Reserved> known = reserve_now(*key, needs, deadline))
        co_return *std::move(known);
    co_return co_await wait_for_allowances(scratch_, std::string(needs.model), deadline);
}

// Leaves the demands in scratch_.
std::optional<Budget::Reserved> Budget::reserve_now(
    const ResolvedKey& key, const routing::CallNeeds& needs, Time deadline
) {
    if (!routing::demands_of(key, needs, pool_, scratch_))
        return std::unexpected(unavailable("the gateway keeps limits of as many models as it may"));
    std::expected<routing::Hold, routing::Lack> hold = pool_.hold(scratch_, clock_.now(), deadline);
    if (hold) {
        ask_beside();
        return *std::move(hold);
    }
    const routing::Demand& lacking = scratch_[hold.error().demand];
    const bool too_large =
        lacking.account.measure != Measure::wallet && lacking.units > lacking.limit;
    if (hold.error().refused || too_large) return std::unexpected(refuse(lacking, needs.model));
    return std::nullopt;
}

io::Task<Budget::Reserved> Budget::wait_for_allowances(
    Demands demands, std::string model, Time deadline
) {
    const io::Deadline patience = io::Deadline::after(kOpenWaitMax);
    while (!open_ && co_await opened_.wait(patience)) {
        std::expected<routing::Hold, routing::Lack> hold =
            pool_.hold(demands, clock_.now(), deadline);
        if (hold) co_return *std::move(hold);
    }
    if (!open_)
        co_return std::unexpected(
            unavailable("calls of an earlier run are still being settled; try again soon")
        );
    Waiting waiting(pool_, demands);
    if (!waiting.begin(clock_.now()))
        co_return std::unexpected(unavailable("the gateway keeps as many limits as it may"));
    const io::Deadline recalled = io::Deadline::after(kRecallWaitMax);
    for (int round = 0; round < kRoundsMax; ++round) {
        std::expected<routing::Hold, routing::Lack> hold =
            pool_.hold(demands, clock_.now(), deadline);
        if (hold) {
            ask_beside();
            co_return *std::move(hold);
        }
        const std::size_t lacking = hold.error().demand;
        if (round == 0) ++calls_waited_[static_cast<std::size_t>(demands[lacking].account.measure)];
        if (waiting.is_answered(lacking) && is_over(demands[lacking]))
            co_return std::unexpected(unavailable(
                "the clock of this gateway is ahead of the server's by more than an hour, so that "
                "no allowance is good here: its operator must set it"
            ));
        if (waiting.is_answered(lacking)) {
            if (!is_recalled(demands[lacking]) || recalled.passed())
                co_return std::unexpected(refuse(demands[lacking], model));
            co_await io::sleep_for(kRecallLook);
            round = 0;
        }
        const Result<void> asked = co_await ask_for(&waiting, &demands, lacking);
        if (!asked)
            co_return std::unexpected(
                unavailable("the budget cannot be checked now: " + asked.error().message)
            );
    }
    co_return std::unexpected(unavailable("the budget is being renewed; try again in a second"));
}

// An error: the server could not be asked.
io::Task<Result<void>> Budget::ask_for(
    const Waiting* waiting, const Demands* demands, std::size_t lacking
) {
    pool_.queue_lacking(*demands, clock_.now());
    ask_soon();
    // The question under way may have begun before this call: then its failure counts, not its
    // answer.
    const std::uint64_t seen = rounds_;
    while (rounds_ == seen) co_await answered_.wait();
    if (!last_answer_ && !waiting->is_answered(lacking)) co_return last_answer_;
    co_return Result<void>();
}

bool Budget::is_recalled(const routing::Demand& demand) const {
    const std::optional<routing::AccountView> view = pool_.view(demand.account, clock_.now());
    return view && view->recalled && last_answer_;
}

// The server is there, so what goes back to it is not lost.
void Budget::recall(const std::vector<LeaseId>& leases) {
    if (leases.empty() || !open_) return;
    pool_.recall(leases);
    if (last_answer_) answered_at_ = clock_.monotonic();
    ask_beside();
}

// Something was granted a moment ago, and its time is over already.
bool Budget::is_over(const routing::Demand& demand) const {
    const Time now = clock_.now();
    const std::optional<routing::AccountView> view = pool_.view(demand.account, now);
    return view && view->granted > view->returned &&
           view->expires_at <= now + routing::AllowancePool::kExpiryMargin;
}

routing::ApiError Budget::refuse(const routing::Demand& lacking, std::string_view model) const {
    const Time now = clock_.now();
    return routing::limit_error(lacking, model, pool_.view(lacking.account, now), now);
}

routing::HeaderList Budget::rate_headers(const ResolvedKey& key, const routing::CallNeeds& needs) {
    if (!key.organisation_limits && !key.project_limits && !key.key_limits) return {};
    if (!routing::demands_of(key, needs, pool_, scratch_)) return {};
    return routing::rate_headers(scratch_, pool_, clock_.now());
}

// The next call should find an allowance: the one that made a hold does not wait for it.
void Budget::ask_beside() {
    if (open_ && pool_.wants_to_ask()) ask_soon();
}

void Budget::ask_soon() {
    if (asking_) return;
    asking_ = true;
    tasks_.spawn(ask_while_wanted());
}

io::Task<void> Budget::ask_while_wanted() {
    // Also when this task is cancelled: the next call begins another one.
    struct Asking {
        bool& flag;
        ~Asking() { flag = false; }
    };
    const Asking asking{asking_};
    while (!answered_at_ || finding_out_ || pool_.wants_to_ask())
        if (!co_await ask_once()) break;
}

// What is given back to a server that is away would be lost, and what is on the disk says that it
// is still here.
io::Task<bool> Budget::may_give_back() {
    const bool answers =
        answered_at_ && clock_.monotonic() - *answered_at_ < kAnsweredLately && last_answer_;
    if (!answers) co_return false;
    if (!is_clear()) co_await file_->let_go();
    co_return is_clear();
}

// False: the server could not be asked, or would not answer.
io::Task<bool> Budget::ask_once() {
    using Idle = routing::AllowancePool::Idle;
    const bool may = co_await may_give_back() && is_clear();
    const Idle idle = may ? Idle::give_back : Idle::keep;
    finding_out_ = false;
    Asked asked(pool_, pool_.asks(clock_.now(), kAsksMax, idle));
    AcquireAllowances question{.replica = options_.replica, .run = run_, .asks = asked.asks()};
    Result<GrantedAllowances> answer = co_await server_.acquire_allowances(std::move(question));
    if (answer && answer->allowances.size() != asked.asks().size())
        answer = fail(ErrorCode::unavailable, "the server answered another number of asks");
    if (answer) {
        take(asked.asks(), *answer);
        asked.answered();
    } else {
        asked.unanswered();
        if (!is_silence(answer.error().code))
            log_.error("allowances were refused", {{"error", to_string(answer.error())}});
        if (resumed_ && answer.error().code == ErrorCode::conflict) begin_run();
        last_answer_ = std::unexpected(answer.error());
    }
    ++rounds_;
    answered_.notify_all();
    const bool answered = last_answer_.has_value();
    if (answered && !is_clear()) co_await file_->let_go();
    co_return answered;
}

void Budget::take(const std::vector<AllowanceAsk>& asks, const GrantedAllowances& answer) {
    const Time now = clock_.now();
    for (std::size_t i = 0; i < asks.size(); ++i) pool_.grant(asks[i], answer.allowances[i], now);
    pool_.drop_foreign();
    last_answer_ = {};
    answered_at_ = clock_.monotonic();
}

// ---- while the server is away ----

bool Budget::is_silence(ErrorCode code) {
    return code == ErrorCode::unavailable || code == ErrorCode::deadline_exceeded;
}

void Budget::on_silence() {
    last_answer_ = fail(ErrorCode::unavailable, "the server cannot be reached");
}

void Budget::find_out() {
    if (!open_) return;
    finding_out_ = true;
    ask_soon();
}

void Budget::resume(RunId run, const std::vector<routing::KeptLease>& leases) {
    run_ = run;
    resumed_ = true;
    adopt(leases);
    open();
}

void Budget::adopt(const std::vector<routing::KeptLease>& leases) {
    const Time now = clock_.now();
    for (const routing::KeptLease& kept : leases) {
        // A lease of this name that went through another process's hands: its run goes on.
        if (!resumed_ && !answered_at_ && kept.holder.replica == options_.replica) {
            run_ = kept.holder.run;
            resumed_ = true;
        }
        pool_.adopt(kept, kept.holder == holder(), now);
    }
    if (resumed_) open();
    opened_.notify_all();
}

// Another process has begun under this name: what the resumed run had is over.
void Budget::begin_run() {
    log_.error(
        "another process has begun under this gateway's name since: what an earlier one had of "
        "wallets and limits is not used any more; give every gateway a name of its own (--replica)"
    );
    pool_.forget_leases();
    run_ = ids_.next<RunId>(clock_.now());
    resumed_ = false;
}

// What a process before this one had asked for and did not know of is free again, too.
io::Task<void> Budget::end_run() {
    if (!resumed_ || pool_.holds_open() > 0 || !is_clear()) co_return;
    pool_.forget_leases();  // whether the answer comes or not
    AcquireAllowances nothing{
        .replica = options_.replica, .run = ids_.next<RunId>(clock_.now()), .asks = {}
    };
    const Result<GrantedAllowances> ended = co_await server_.acquire_allowances(std::move(nothing));
    if (!ended) log_.warning("leases are not ended now", {{"error", to_string(ended.error())}});
}

io::Task<void> Budget::renew_forever() {
    while (true) {
        co_await io::sleep_for(kSweepInterval);
        pool_.sweep(clock_.now());
        if (open_ && (!answered_at_ || pool_.wants_to_ask())) ask_soon();
    }
}

void Budget::close() {
    pool_.close(clock_.now());
    if (open_ && pool_.wants_to_ask()) ask_soon();
}

io::Task<void> Budget::give_back(io::Deadline deadline) {
    if (!open_) co_return;
    pool_.close(clock_.now());
    // The first question finds out whether the server is there; the second one gives back.
    if (pool_.wants_to_ask() && !co_await ask_once()) co_return;
    pool_.close(clock_.now());
    while (pool_.wants_to_ask() && !deadline.passed())
        if (!co_await ask_once()) co_return;
    co_await end_run();
}

}  // namespace penstock::gateway
