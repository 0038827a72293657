// SPDX-License-Identifier: Apache-2.0
#include "io/turn_end.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <utility>

#include "io/before_sending.h"

namespace penstock::io {
namespace asio = boost::asio;

void TurnEnd::List::push_back(Entry& entry) {
    entry.list_ = this;
    entry.previous_ = last;
    (last != nullptr ? last->next_ : first) = &entry;
    last = &entry;
    ++size;
}

void TurnEnd::List::remove(Entry& entry) {
    (entry.previous_ != nullptr ? entry.previous_->next_ : first) = entry.next_;
    (entry.next_ != nullptr ? entry.next_->previous_ : last) = entry.previous_;
    entry.list_ = nullptr;
    entry.previous_ = entry.next_ = nullptr;
    --size;
}

TurnEnd::Entry::~Entry() { leave(); }

void TurnEnd::Entry::leave() {
    if (list_ != nullptr) list_->remove(*this);
}

TurnEnd::TurnEnd(asio::execution_context& context)
    : service(context), context_(static_cast<asio::io_context&>(context)) {}

TurnEnd& TurnEnd::of(const Executor& executor) {
    asio::execution_context& context = asio::query(executor, asio::execution::context);
    return asio::use_service<TurnEnd>(context);
}

void TurnEnd::shutdown() {
    for (List* list : {&preparations_, &senders_})
        while (list->first != nullptr) list->remove(*list->first);
    // They own tasks, which may put off more as they unwind.
    while (!pieces_.empty()) std::exchange(pieces_, {}).clear();
}

void TurnEnd::put_off_preparation(Entry& entry) {
    if (entry.is_put_off()) return;
    preparations_.push_back(entry);
    schedule();
}

void TurnEnd::put_off_sending(Entry& entry) {
    if (entry.is_put_off()) return;
    senders_.push_back(entry);
    if (senders_.size < kSendersMax)
        schedule();
    else
        end();
}

void TurnEnd::put_off_piece(std::move_only_function<void()> resume) {
    pieces_.push_back(std::move(resume));
    schedule_pieces();
}

void TurnEnd::schedule_pieces() {
    if (std::exchange(pieces_scheduled_, true)) return;
    asio::post(context_, [this] {
        pieces_scheduled_ = false;
        resume_pieces();
    });
}

void TurnEnd::resume_pieces() {
    for (std::size_t left = std::max(kPiecesAtATime, pieces_.size() / kPiecesPart);
         left > 0 && !pieces_.empty(); --left) {
        std::move_only_function<void()> resume = std::move(pieces_.front());
        pieces_.pop_front();
        resume();
    }
    if (!pieces_.empty()) schedule_pieces();
}

void TurnEnd::prepare_to_send() {
    run_all(preparations_);
    sent_at_ = std::chrono::steady_clock::now();
}

bool TurnEnd::is_quiet() const {
    return senders_.size == 0 && std::chrono::steady_clock::now() - sent_at_ >= quiet_after_;
}

void TurnEnd::schedule() {
    if (std::exchange(scheduled_, true)) return;
    asio::post(context_, [this] {
        scheduled_ = false;
        end();
    });
}

void TurnEnd::end() {
    run_all(preparations_);
    run_all(senders_);
}

void TurnEnd::run_all(List& list) {
    while (list.first != nullptr) {
        Entry& entry = *list.first;
        list.remove(entry);
        entry.turn_ended();
    }
}

struct BeforeSending::State final : TurnEnd::Entry {
    State(TurnEnd& turn_given, std::move_only_function<void()> work_given)
        : turn(turn_given), work(std::move(work_given)) {}
    void turn_ended() override { work(); }
    TurnEnd& turn;
    std::move_only_function<void()> work;
};

BeforeSending::BeforeSending(const Executor& executor, std::move_only_function<void()> work)
    : state_(std::make_unique<State>(TurnEnd::of(executor), std::move(work))) {}
BeforeSending::~BeforeSending() = default;

void BeforeSending::ask() { state_->turn.put_off_preparation(*state_); }
void BeforeSending::take_back() { state_->leave(); }

}  // namespace penstock::io
