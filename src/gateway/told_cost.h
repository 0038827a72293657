// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "dialects/answer_context.h"
#include "dialects/canonical.h"
#include "routing/call_meter.h"

// What clients of OpenAI's dialects are told of a call's use beside the engine's words: what it
// costs, as `cost` in the usage (yuan, exact, a JSON number), and the gateway's own count where the
// engine told none. That says so: "penstock": {"basis": "counted"} beside the usage. Pure.
namespace penstock::gateway {

// A whole answer; one without a usage stays as it is.
std::string with_cost(std::string body, ExactMoney cost);
// The same, and of an answer without one the gateway's count as its usage.
std::string with_cost(std::string body, const routing::MeteredCall& used, ExactMoney cost);
// The gateway's count as the usage of a whole answer in the client's dialect.
std::string with_own_usage(
    dialects::Dialect client, std::string body, const routing::MeteredCall& used
);
dialects::Json own_usage_mark(const routing::MeteredCall& used);
// Bytes of whole events as this gateway writes them, each with its data in one line: every usage
// among them that is an object, of a chunk of Chat or of the answer that ends a stream of
// Responses, has the cost.
void tell_cost(std::string& events, ExactMoney cost);
// An answer that is given again, whole or a piece of its stream: where it told a cost, this one.
std::string with_other_cost(const std::string& written, bool streamed, ExactMoney cost);
// Chat's last chunk before [DONE], where the engine's stream had none.
std::string own_usage_chunk(
    const dialects::AnswerContext& context, const routing::MeteredCall& used, ExactMoney cost
);

}  // namespace penstock::gateway
