// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "gateway/answer_recorder.h"
#include "gateway/idempotency_log.h"
#include "http/message.h"

namespace penstock::gateway {

// A request with an Idempotency-Key, from its begin to its end; it travels as the request's
// context. Each model that is asked for it is a call of its own; the use of the key ends once: with
// the answer, with a charge without one, or free. On every path, the last by the destructor. The
// gateway's thread.
class IdempotentCall {
  public:
    struct Parts {
        IdempotencyLog& log;
        const Clock& clock;
        AnswerRoom& room;
    };
    // The use is begun; what else is given outlives the call.
    IdempotentCall(const Parts& parts, const IdempotencyLog::Use& use) : parts_(parts), use_(use) {}
    ~IdempotentCall();
    IdempotentCall(const IdempotentCall&) = delete;
    IdempotentCall& operator=(const IdempotentCall&) = delete;

    // Of the next call that is made for it. The first one's is on record already.
    RequestId next_id(IdSource& ids, Time now);
    // Of that call, for a stream.
    std::unique_ptr<AnswerRecorder> recorder();
    struct Ended {
        ExactMoney charge;
        bool well = false;
        bool joined = false;  // another engine went on with it
    };
    // That call has ended, and its record is with the spool.
    void on_ended(const Ended& ended);

    // What the client is about to be told. A stream ends the use when its call ends; what is whole
    // ends it here.
    void answer_with(const http::Response& response);
    // The stream has ended, or nobody writes it.
    void close();

  private:
    void end(KeptEnd how, const KeptAnswer* answer = nullptr);

    Parts parts_;
    IdempotencyLog::Use use_;
    bool first_ = true;
    bool streams_ = false;
    bool well_ = false;
    bool ended_ = false;
    AnswerRecorder* recorder_ = nullptr;  // of the call that runs
    ExactMoney charge_;
    KeptAnswer answer_;  // what is known of it
};
using IdempotentCallPtr = std::shared_ptr<IdempotentCall>;  // of the request and its calls

// Null: a request without the header.
inline IdempotentCallPtr idempotent_call_of(const http::Request& request) {
    const auto* found = request.context_as<IdempotentCallPtr>();
    return found == nullptr ? nullptr : *found;
}

}  // namespace penstock::gateway
