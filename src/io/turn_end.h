// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/execution_context.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>

#include "base/time.h"
#include "io/task.h"

namespace penstock::io {

// What is put off to the end of a turn of the loop, when every handler that was ready has run: what
// streams send (Stream::write_soon), and before that what must be done before anything is sent
// (BeforeSending). One per io_context, found through its services.
//
// A system call for each small message costs most where the one who waits for it sleeps: it is
// woken for the first of them and finds the others when they come together. The code between them
// also stays in the caches. Where the loop is quiet there are no others: what is to be sent then
// goes out at once.
//
// And what gives way: pieces of streams that run, which come in bursts where an engine makes one
// for each of its streams at a time. A few at a time are looked at, and between them what begins
// (a connection, a request, a first answer) is served as it comes.
class TurnEnd final : public boost::asio::execution_context::service {
  public:
    using key_type = TurnEnd;
    static inline boost::asio::execution_context::id id;
    // So many senders wait at most; then it is as if the turn had ended, so that the first of many
    // is not kept back by all the others.
    static constexpr std::size_t kSendersMax = 16;
    // Nothing was sent for so long: the loop is quiet. Longer than a busy loop is between two
    // calls.
    static constexpr Duration kQuietAfter = 100us;

    // So many pieces are looked at before the loop looks for what begins; where many wait, an
    // eighth of them, so that they are never kept back for long.
    static constexpr std::size_t kPiecesAtATime = 4;
    static constexpr std::size_t kPiecesPart = 8;

    class Entry;
    struct List {
        Entry* first = nullptr;
        Entry* last = nullptr;
        std::size_t size = 0;
        void push_back(Entry& entry);
        void remove(Entry& entry);
    };

    // What is done once; it leaves its list when it is destroyed.
    class Entry {
      public:
        Entry() = default;
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
        virtual ~Entry();

        bool is_put_off() const { return list_ != nullptr; }
        // It was done otherwise.
        void leave();

      private:
        friend class TurnEnd;
        virtual void turn_ended() = 0;
        List* list_ = nullptr;
        Entry* previous_ = nullptr;
        Entry* next_ = nullptr;
    };

    explicit TurnEnd(boost::asio::execution_context& context);
    static TurnEnd& of(const Executor& executor);

    // Each does nothing for an entry that waits already.
    void put_off_preparation(Entry& entry);
    void put_off_sending(Entry& entry);
    // Calls `resume` when what begins has been served; pieces are resumed in their order.
    void put_off_piece(std::move_only_function<void()> resume);
    // Before anything is sent that was not put off.
    void prepare_to_send();
    bool is_quiet() const;
    // For tests: as if nothing had been sent yet, or as if something were sent all the time.
    void set_quiet_after(Duration after) { quiet_after_ = after; }

  private:
    void shutdown() override;
    void schedule();
    void end();
    void schedule_pieces();
    void resume_pieces();
    static void run_all(List& list);

    boost::asio::io_context& context_;
    List preparations_;
    List senders_;
    std::deque<std::move_only_function<void()>> pieces_;
    bool scheduled_ = false;
    bool pieces_scheduled_ = false;
    Duration quiet_after_ = kQuietAfter;
    std::chrono::steady_clock::time_point sent_at_;
};

}  // namespace penstock::io
