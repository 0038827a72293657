// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/fields.h"

// Reasoning that carries a proof, in dialects that have no place for one. Messages of Chat and of
// Ollama carry it in the member that OpenRouter's clients know, and Responses in
// `encrypted_content`; what a client sends back is what its engine had said.
//     reasoning_details = [ {"type":"reasoning.text","text":TEXT,"signature":PROOF,"index":N}
//                         | {"type":"reasoning.encrypted","data":HIDDEN,"index":N} … ]
// N is its place among the parts of the message: a text or a call before it leaves a number out.
namespace penstock::dialects {

constexpr std::string_view kReasoningDetails = "reasoning_details";

// Takes the member. Entries that belong together (one index, piece by piece) are one part; the
// parts are named kReasoningDetails.
std::vector<Part> read_reasoning_details(Fields& fields);
// Of entries of a stream's delta: what is in no other member.
Json::Object reasoning_detail(const Part& part, std::int64_t index);
// It was read from the member, which its own dialect writes again from the shape.
bool is_in_shape(const Part& part, const Writer& writer);
// Reasoning to its place among the other parts, which stay in their order.
void place_reasoning(std::vector<Part>& parts);
// Every reasoning of the message, where one of them carries something; else empty.
Json::Array reasoning_details(const std::vector<Part>& parts);

// `encrypted_content` of Responses.
std::string encrypted_content(const Part& part);
void read_encrypted_content(std::string content, Part& part);

}  // namespace penstock::dialects
