// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotent_call.h"

#include <utility>

#include "base/check.h"
#include "http/headers.h"

namespace penstock::gateway {
namespace {

// What a key may do changes from one answer to the next.
constexpr std::string_view kRatePrefix = "x-ratelimit-";

KeptEnd end_of(AnswerRecorder::Loss loss) {
    switch (loss) {
        case AnswerRecorder::Loss::none:
            return KeptEnd::answered;
        case AnswerRecorder::Loss::too_large:
            return KeptEnd::too_large;
        case AnswerRecorder::Loss::crowded:
            return KeptEnd::crowded;
    }
    return KeptEnd::cut;
}

}  // namespace

IdempotentCall::~IdempotentCall() { close(); }

RequestId IdempotentCall::next_id(IdSource& ids, Time now) {
    recorder_ = nullptr;
    if (first_) {
        first_ = false;
        return use_.call_id;
    }
    use_.call_id = ids.next<RequestId>(now);
    parts_.log.go_on(use_, now);
    return use_.call_id;
}

std::unique_ptr<AnswerRecorder> IdempotentCall::recorder() {
    auto recorder =
        std::make_unique<AnswerRecorder>(parts_.room, [this](const CachedAnswer& answer) {
            answer_.body.clear();
            for (const std::string& piece : answer.writes) answer_.body += piece;
        });
    recorder_ = recorder.get();
    return recorder;
}

void IdempotentCall::on_ended(const Ended& ended) {
    const Result<ExactMoney> sum = add(charge_, ended.charge);
    CHECK(sum.has_value(), "the charges of one request are within its holds");
    charge_ = *sum;
    well_ = ended.well;
    const AnswerRecorder* recorder = std::exchange(recorder_, nullptr);  // gone where `joined`
    if (!ended.well) {
        // Of what was charged nothing may be lost; another model is asked where nothing was.
        if (charge_ > ExactMoney()) end(KeptEnd::cut);
        return;
    }
    if (!streams_) return;  // the answer follows at once
    if (ended.joined || recorder == nullptr) return end(KeptEnd::joined);
    end(end_of(recorder->loss()), &answer_);
}

void IdempotentCall::answer_with(const http::Response& response) {
    answer_.headers.clear();
    for (const http::Header& header : response.headers)
        if (!http::equal_ignoring_case(header.name.substr(0, kRatePrefix.size()), kRatePrefix))
            answer_.headers.emplace_back(header.name, header.value);
    const auto* body = std::get_if<std::string>(&response.body);
    streams_ = body == nullptr;
    answer_.streamed = streams_;
    if (streams_ || ended_) return;
    if (!well_ || response.status != 200) return close();
    if (body->size() > IdempotencyLog::kAnswerBytesMax) return end(KeptEnd::too_large);
    answer_.body = *body;
    end(KeptEnd::answered, &answer_);
}

void IdempotentCall::close() {
    if (ended_) return;
    if (well_ || charge_ > ExactMoney()) return end(KeptEnd::cut);
    ended_ = true;
    parts_.log.free(use_, parts_.clock.now());
}

void IdempotentCall::end(KeptEnd how, const KeptAnswer* answer) {
    if (ended_) return;
    ended_ = true;
    const bool kept = how == KeptEnd::answered;
    parts_.log.end(
        use_, {.charge = charge_, .end = how, .answer = kept ? answer : nullptr}, parts_.clock.now()
    );
}

}  // namespace penstock::gateway
